#include "net/call_flow.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace tus::net {

namespace {

std::unexpected<Error> too_late() {
  return fail(ErrorCode::store_unavailable, "timeout: no byte has moved in time");
}

}  // namespace

// What was given to write() is the caller's again however that ends.
class CallFlow::Given {
 public:
  explicit Given(CallFlow& flow) : flow_(flow) {}
  ~Given() {
    const std::lock_guard lock(flow_.mutex_);
    flow_.out_ = {};
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;

 private:
  CallFlow& flow_;
};

// ---- curl's side ----

CallFlow::Taken CallFlow::take(std::span<std::byte> into, std::size_t& count) {
  const std::lock_guard lock(mutex_);
  if (abandoned_) return Taken::abort;
  count = std::min(into.size(), out_.size());
  if (count == 0) {
    out_is_paused_ = true;
    return Taken::pause;
  }
  std::memcpy(into.data(), out_.data(), count);
  out_ = out_.subspan(count);
  if (out_.empty()) wake_soon();
  return Taken::some;
}

bool CallFlow::put(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  if (in_begin_ == in_.size()) {
    in_.clear();
    in_begin_ = 0;
  }
  if (!in_.empty() && in_.size() + bytes.size() > capacity) {
    in_is_paused_ = true;
    return false;
  }
  in_.insert(in_.end(), bytes.begin(), bytes.end());
  wake_soon();
  return true;
}

void CallFlow::set_head(HttpHead head) {
  const std::lock_guard lock(mutex_);
  head_ = std::move(head);
  wake_soon();
}

void CallFlow::finish(Status status) {
  {
    const std::lock_guard lock(mutex_);
    if (!end_) end_ = std::move(status);
  }
  wake();
}

void CallFlow::wake_soon() {
  if (std::exchange(wake_is_posted_, true)) return;
  asio::post(strand_, [self = shared_from_this()] { self->wake(); });
}

void CallFlow::wake() {
  std::shared_ptr<Event> change;
  {
    const std::lock_guard lock(mutex_);
    wake_is_posted_ = false;
    change = std::exchange(change_, nullptr);
  }
  if (change) change->set();
}

// ---- the caller's side ----

std::shared_ptr<Event> CallFlow::next_change() {
  if (!change_) change_ = std::make_shared<Event>();
  return change_;
}

void CallFlow::resume() {
  asio::post(strand_, [self = shared_from_this()] {
    if (self->resume_) self->resume_();
  });
}

Awaitable<Status> CallFlow::write(std::span<const std::byte> bytes, Deadline deadline) {
  const Given given(*this);
  {
    const std::lock_guard lock(mutex_);
    out_ = bytes;
    if (!bytes.empty() && std::exchange(out_is_paused_, false)) resume();
  }
  while (true) {
    std::shared_ptr<Event> change;
    {
      const std::lock_guard lock(mutex_);
      if (out_.empty()) co_return Status();
      if (end_) {
        if (!*end_) co_return *end_;
        co_return fail(ErrorCode::store_unavailable,
                       "the reply came before the end of the request");
      }
      change = next_change();
    }
    if (!co_await change->wait(deadline)) co_return too_late();
  }
}

Awaitable<Result<HttpHead>> CallFlow::head(Deadline deadline) {
  while (true) {
    std::shared_ptr<Event> change;
    {
      const std::lock_guard lock(mutex_);
      if (head_) co_return *head_;
      if (end_) {
        if (!*end_) co_return fail(end_->error());
        co_return fail(ErrorCode::store_unavailable, "connection lost: there was no reply");
      }
      change = next_change();
    }
    if (!co_await change->wait(deadline)) co_return too_late();
  }
}

Awaitable<Result<std::size_t>> CallFlow::read(std::span<std::byte> into, Deadline deadline) {
  while (true) {
    std::shared_ptr<Event> change;
    {
      const std::lock_guard lock(mutex_);
      const auto count = std::min(into.size(), in_.size() - in_begin_);
      if (count > 0) {
        std::memcpy(into.data(), in_.data() + in_begin_, count);
        in_begin_ += count;
        if (in_begin_ == in_.size() && std::exchange(in_is_paused_, false)) resume();
        co_return count;
      }
      if (end_) {
        if (!*end_) co_return fail(end_->error());
        co_return std::size_t{0};
      }
      change = next_change();
    }
    if (!co_await change->wait(deadline)) co_return too_late();
  }
}

void CallFlow::abandon() noexcept {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
}

}  // namespace tus::net
