// Names for new uploads.
#pragma once

#include <tus/upload_id.h>

namespace tus::core {

// 128 random bits from the kernel in hex, as Go's tusd names uploads: cannot be guessed.
UploadId random_upload_id();

}  // namespace tus::core
