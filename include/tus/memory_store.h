// Uploads in memory: for tests, for trying things out, and the reference of the store contract.
#pragma once

#include <tus/store.h>

TUS_NAMESPACE_BEGIN

struct MemoryStoreOptions {
  std::uint64_t max_bytes = 0;  // of all uploads together; 0: no limit. Beyond it: no_space
};

TUS_EXPORT std::shared_ptr<Store> make_memory_store(MemoryStoreOptions options = {});

TUS_NAMESPACE_END
