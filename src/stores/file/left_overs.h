// What creations, terminations and processes that were cut off have left in the directory.
#pragma once

#include "stores/file/context.h"

#include <tus/store.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

namespace tus::file_store {

// Whether the files of this name are ours, belong to no upload and have not been changed since `idle_since`: data
// without a record, or a record that expects its data beside it and has none. A data file may be the operator's,
// or be named by the record of another upload, so that only names as we choose them ourselves are considered, and
// the caller has to look through all records.
bool may_be_left_over(Context& context, const UploadId& id, std::chrono::sys_seconds idle_since,
                      std::span<std::byte> scratch);

// Removes them, if it is still so. The bytes that there were.
Result<std::optional<std::uint64_t>> remove_rest(Context& context, const UploadId& id,
                                                 const Lease& lease,
                                                 std::chrono::sys_seconds idle_since,
                                                 std::span<std::byte> scratch);

// Files that a process which died has not renamed. Nobody needs one after it was made.
// `root` is the open directory of the store.
void remove_old_temporaries(FileIo& io, int root, std::chrono::sys_seconds idle_since);

}  // namespace tus::file_store
