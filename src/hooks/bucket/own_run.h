// The lease of this process: an object that it touches as long as it lives.
#pragma once

#include "async/event.h"
#include "hooks/bucket/objects.h"

#include <tus/logger.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace tus::hooks {

// Others take us for dead when they have seen it untouched for the whole lease. We do not rely on it any more when two
// thirds have passed since the last touch was begun. Any executor.
class OwnRun {
 public:
  using Time = Deadline::Point;

  OwnRun(Objects& objects, std::chrono::milliseconds lease, Logger& logger)
      : objects_(objects), lease_(lease), logger_(logger) {}

  // The run under which this process may put and tell records: it is made when there is none, touched when it is old, and
  // replaced by another one when somebody has taken it.
  Awaitable<Result<std::string>> get(Deadline deadline);
  // Touches it, if there is one.
  Awaitable<void> renew(Deadline deadline);
  // Removes it, if it is ours.
  Awaitable<void> release(Deadline deadline);

  // Empty when there is none.
  std::string id() const;
  // Grows when a run is lost.
  std::uint64_t losses() const;

 private:
  class Turnstile;
  struct State {
    std::string id;
    std::string etag;
    Time touched;
  };
  // One at a time makes and touches; nothing when another one has done so meanwhile.
  Awaitable<std::optional<Turnstile>> enter(Deadline deadline);
  Awaitable<Status> make(Deadline deadline);
  Awaitable<Status> touch(State state, Deadline deadline);
  std::optional<State> state() const;
  bool is_fresh(const State& state) const;
  void lose(const std::string& id);

  Objects& objects_;
  const std::chrono::milliseconds lease_;
  Logger& logger_;
  mutable std::mutex mutex_;
  std::optional<State> state_;
  std::uint64_t losses_ = 0;
  std::shared_ptr<Event> busy_;
};

}  // namespace tus::hooks
