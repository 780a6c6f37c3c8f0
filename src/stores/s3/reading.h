// Content of uploads, streamed from the bucket.
#pragma once

#include "stores/s3/context.h"

#include <tus/store.h>

#include <memory>

namespace tus::s3 {

// As Store::read(). Parts of a multipart upload cannot be read: upload_not_finished before the object is there.
Awaitable<Result<std::unique_ptr<ReadStream>>> open_content(Context& context, UploadId id,
                                                            ByteRange range, Deadline deadline);

}  // namespace tus::s3
