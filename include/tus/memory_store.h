// Uploads in memory: for tests, for trying things out, and the reference of the store contract.
#pragma once

#include <tus/clock.h>
#include <tus/store.h>

#include <memory>

TUS_NAMESPACE_BEGIN

struct MemoryStoreOptions {
  std::uint64_t max_bytes = 0;  // of all uploads together; 0: no limit. Beyond it: no_space
};

// Without a clock it is the system's.
TUS_EXPORT std::shared_ptr<Store> make_memory_store(MemoryStoreOptions options = {},
                                                    std::shared_ptr<Clock> clock = nullptr);

TUS_NAMESPACE_END
