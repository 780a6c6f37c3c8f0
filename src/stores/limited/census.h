// Counts what all uploads take, by a scan of the store.
#pragma once

#include "async/event.h"
#include "stores/limited/ledger.h"

#include <tus/clock.h>
#include <tus/limited_store.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace tus::limited_store {

// A count has no coroutine of its own: one of those that wait for it makes it, page by page. When that one has
// no more time, the next one goes on from there.
class Census {
 public:
  Census(Store& store, Ledger& ledger, const LimitedStoreOptions& options, Clock& clock,
         Logger& logger)
      : store_(store), ledger_(ledger), options_(options), clock_(clock), logger_(logger) {}

  bool has_counted() const noexcept { return has_counted_.load(std::memory_order_acquire); }
  // Whether it is time to count again before something is refused.
  bool is_old();

  // Until everything was counted once. Error: store_unavailable.
  Awaitable<Status> count_once(Deadline deadline);
  // Once more, or to the end of a count that is under way.
  Awaitable<Status> count_again(Deadline deadline);

 private:
  struct Count {
    std::unique_ptr<UploadScan> scan;
    std::vector<Seen> all;
    std::chrono::steady_clock::time_point begun;
    bool is_driven = false;
    bool is_broken = false;
    std::shared_ptr<Event> turn = std::make_shared<Event>();  // set when nobody drives it any more
  };
  class Turn;

  std::shared_ptr<Count> join_count(std::shared_ptr<Event>& turn, std::uint64_t since);
  Awaitable<Status> drive(std::shared_ptr<Count> count, Deadline deadline);
  void complete(const Count& count);
  Awaitable<Status> count_since(std::uint64_t since, Deadline deadline);

  Store& store_;
  Ledger& ledger_;
  const LimitedStoreOptions& options_;
  Clock& clock_;
  Logger& logger_;
  std::atomic<bool> has_counted_ = false;
  std::mutex mutex_;
  std::shared_ptr<Count> count_;
  std::uint64_t counts_ = 0;                          // that were completed
  std::chrono::steady_clock::time_point not_before_;  // for the next one
};

}  // namespace tus::limited_store
