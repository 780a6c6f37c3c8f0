// Keeps all uploads of another store together within a number of bytes.
#pragma once

#include <tus/clock.h>
#include <tus/logger.h>
#include <tus/store.h>

#include <chrono>
#include <cstdint>
#include <memory>

TUS_NAMESPACE_BEGIN

struct LimitedStoreOptions {
  LimitedStoreOptions() = default;

  std::uint64_t max_bytes = 0;  // of all uploads together
  // Other programs take finished files away, and other servers add some: before it refuses anything, the
  // store counts again when it has last done so longer ago than this.
  std::chrono::milliseconds count_again_after{5'000};
  // How long an append without a deadline waits for a count.
  std::chrono::milliseconds longest_wait{60'000};
};

// An upload takes its whole length from its creation on, so that what was begun can be ended; one whose
// length is not known takes what it has. What does not fit is refused with no_space. Nothing is counted
// before the first prepare(), creation, usage() or growth without a length, which then wait for a scan of
// `inner`; no other call waits. usage() tells the limit, and what of it is taken.
TUS_EXPORT std::shared_ptr<Store> make_limited_store(std::shared_ptr<Store> inner,
                                                     LimitedStoreOptions options,
                                                     std::shared_ptr<Clock> clock,
                                                     std::shared_ptr<Logger> logger);

TUS_NAMESPACE_END
