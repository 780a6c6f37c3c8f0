// Making the files of a new upload.
#pragma once

#include "stores/file/context.h"

#include <tus/store.h>

#include <span>

namespace tus::file_store {

// Blocks. Data first, then the record: an upload is there when its record is, and then with its first
// bytes. Nothing is left behind when it fails.
Result<Loaded> create_files(Context& context, UploadDraft draft, const Lease& lease,
                            std::span<const std::byte> first, std::span<std::byte> scratch);

}  // namespace tus::file_store
