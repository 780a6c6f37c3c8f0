// Where notifications wait: in memory, or in files.
#pragma once

#include "hooks/common/outbox.h"
#include "hooks/outbox/outbox_directory.h"

#include <tus/blocking_pool.h>
#include <tus/clock.h>

#include <cstddef>
#include <memory>
#include <string>

namespace tus::hooks {

// Forgets with the process. Of more than `most` records the oldest is dropped: a dead endpoint must not take
// all memory.
std::unique_ptr<Outbox> make_memory_outbox(std::shared_ptr<Clock> clock, std::size_t most);

// In a directory that several processes may share. Errors: store_unavailable, no_space.
Result<std::unique_ptr<Outbox>> make_file_outbox(std::string path, OutboxSafety safety,
                                                 std::shared_ptr<BlockingPool> pool,
                                                 std::shared_ptr<Clock> clock);

}  // namespace tus::hooks
