// What processes that were killed have left in the directory.
#pragma once

#include "lockers/file/lock_files.h"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace tus::file_locker {

// When a process of ours has died on this directory: removes the locks of the dead, and requests to release
// what nobody holds, in the whole directory. Blocks, as long as it takes to list it; ends early when `stop`
// is set. Whoever waits and finds its request gone makes it again.
void remove_left_overs(LockFiles& files, const std::atomic<bool>& stop);

// The same whoever has died, Go's processes too, but only what is older than `since`. How many files went.
std::uint64_t remove_old_locks(LockFiles& files, std::chrono::sys_seconds since,
                               const std::atomic<bool>& stop);

}  // namespace tus::file_locker
