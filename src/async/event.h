// Something that happens once and that coroutines on any loop can wait for.
#pragma once

#include <tus/async.h>
#include <tus/deadline.h>

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <mutex>
#include <vector>

TUS_NAMESPACE_BEGIN

// Waiters must run on serial executors (an event loop or a strand).
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Any thread, any number of times.
  void set() noexcept;
  bool is_set() const noexcept;

  // True when the event has happened, false when the deadline passed first. The event must live until
  // this returns.
  Awaitable<bool> wait(Deadline deadline);

 private:
  mutable std::mutex mutex_;
  bool set_ = false;
  std::vector<std::shared_ptr<asio::steady_timer>> waiters_;
};

// Waits for a point in time.
Awaitable<void> sleep_until(Deadline deadline);

TUS_NAMESPACE_END
