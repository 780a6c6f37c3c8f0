// Reading an upload: its data file stays open as long as somebody reads it.
#pragma once

#include "stores/file/context.h"

#include <tus/store.h>

#include <cstddef>
#include <memory>
#include <span>

namespace tus::file_store {

// In a job. upload_damaged when the file does not have the bytes.
Result<std::unique_ptr<ReadStream>> open_read_stream(Context& context, const UploadId& id,
                                                     ByteRange range, std::span<std::byte> scratch);

}  // namespace tus::file_store
