#include "stores/limited/census.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tus::limited_store {

namespace {

// A store with very many uploads, and always full, does not do nothing but count.
constexpr int rest_after = 10;

}  // namespace

// While it lives, its coroutine drives the count.
class Census::Turn {
 public:
  Turn(Census& census, std::shared_ptr<Count> count) noexcept
      : census_(census), count_(std::move(count)) {}
  ~Turn() {
    std::shared_ptr<Event> turn;
    {
      std::lock_guard lock(census_.mutex_);
      count_->is_driven = false;
      // After an error, or an exception, the scan is not asked again.
      if (count_->is_broken && census_.count_ == count_) {
        census_.count_.reset();
        census_.ledger_.drop_count();
      }
      turn = std::exchange(count_->turn, std::make_shared<Event>());
    }
    turn->set();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Census& census_;
  std::shared_ptr<Count> count_;
};

bool Census::is_old() {
  std::lock_guard lock(mutex_);
  return clock_.now() >= not_before_;
}

Awaitable<Status> Census::count_once(Deadline deadline) { return count_since(1, deadline); }

Awaitable<Status> Census::count_again(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const auto next = counts_ + 1;
  lock.unlock();
  return count_since(next, deadline);
}

// The count that the caller shall drive; or nothing, with what it has to wait for, or with nothing to wait for.
std::shared_ptr<Census::Count> Census::join_count(std::shared_ptr<Event>& turn,
                                                  std::uint64_t since) {
  std::lock_guard lock(mutex_);
  turn.reset();
  if (counts_ >= since) return nullptr;
  if (!count_) {
    count_ = std::make_shared<Count>();
    count_->begun = clock_.now();
    ledger_.begin_count();
    count_->scan = store_.scan(ScanOptions());
  }
  if (count_->is_driven) {
    turn = count_->turn;
    return nullptr;
  }
  count_->is_driven = true;
  return count_;
}

// `since`: the number of the first count that is new enough.
Awaitable<Status> Census::count_since(std::uint64_t since, Deadline deadline) {
  for (;;) {
    std::shared_ptr<Event> turn;
    if (auto count = join_count(turn, since)) {
      auto driven = co_await drive(std::move(count), deadline);
      if (!driven) co_return driven;
    } else if (!turn) {
      co_return Status();
    } else if (!co_await turn->wait(deadline)) {
      co_return fail(ErrorCode::store_unavailable, "the uploads are still being counted");
    }
  }
}

Awaitable<Status> Census::drive(std::shared_ptr<Count> count, Deadline deadline) {
  const Turn turn(*this, count);
  for (;;) {
    if (deadline.passed(clock_.now())) {
      co_return fail(ErrorCode::store_unavailable, "the uploads are still being counted");
    }
    count->is_broken = true;
    auto page = co_await count->scan->next(deadline);
    if (!page) co_return fail(ErrorCode::store_unavailable, page.error().detail());
    count->is_broken = false;
    for (const auto& info : page->uploads) count->all.push_back(seen(info));
    if (page->at_end) break;
  }
  complete(*count);
  co_return Status();
}

void Census::complete(const Count& count) {
  ledger_.end_count(count.all);
  std::lock_guard lock(mutex_);
  count_.reset();
  const auto now = clock_.now();
  const auto rest = std::max<std::chrono::nanoseconds>(options_.count_again_after,
                                                       rest_after * (now - count.begun));
  not_before_ = now + rest;
  if (counts_++ > 0) return;
  has_counted_.store(true, std::memory_order_release);
  logger_.log(LogLevel::info, "UploadsCounted",
              {{"uploads", std::to_string(count.all.size()), LogKind::number},
               {"bytes", std::to_string(ledger_.used()), LogKind::number},
               {"limit", std::to_string(ledger_.limit()), LogKind::number}});
}

}  // namespace tus::limited_store
