// Wakes a coroutine from any thread, again and again.
#pragma once

#include "async/event.h"

#include <memory>
#include <mutex>
#include <utility>

namespace tus::s3 {

class Nudge {
 public:
  void give() noexcept {
    std::lock_guard lock(mutex_);
    given_ = true;
    event_->set();
  }
  // True when it was given since the last call; waits for it until the deadline.
  Awaitable<bool> take(Deadline deadline) {
    auto event = current();
    (void)co_await event->wait(deadline);
    co_return reset();
  }

 private:
  std::shared_ptr<Event> current() {
    std::lock_guard lock(mutex_);
    return event_;
  }
  bool reset() {
    std::lock_guard lock(mutex_);
    if (!given_) return false;
    event_ = std::make_shared<Event>();
    return std::exchange(given_, false);
  }

  std::mutex mutex_;
  bool given_ = false;
  std::shared_ptr<Event> event_ = std::make_shared<Event>();
};

}  // namespace tus::s3
