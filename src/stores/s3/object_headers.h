// What the object of an upload is made with, from what the client said of it. Pure.
#pragma once

#include "stores/s3/client/bucket.h"
#include "stores/s3/options.h"

#include <tus/upload_info.h>

#include <string>

namespace tus::s3 {

// As Go's tusd: the metadata of the upload as user metadata, with '?' for what is not printable ASCII, and
// `filetype` as the content type if it is one. `mark` goes with it. S3 takes 2 KiB: pairs that do not fit, or
// whose names cannot be header names, are left out; the record has all of them.
ObjectHeaders object_headers(const StoreOptions& options, const Metadata& metadata,
                             const std::string& mark);

}  // namespace tus::s3
