// Whether uploads can be taken now, for whoever sends clients here.
#pragma once

#include "async/event.h"
#include "async/task_group.h"

#include <tus/async.h>
#include <tus/clock.h>
#include <tus/error.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace tus::app {

enum class Ready : std::uint8_t {
  yes,
  draining,    // the server is about to end
  unwritable,  // the store says that it cannot be written
  no_answer,   // the store says nothing
};

struct ReadinessOptions {
  std::chrono::milliseconds keep{1000};      // how long an answer of the store is good for
  std::chrono::milliseconds patience{2000};  // with a store that does not answer
};

// However often and by however many it is asked, one look at the store at a time is under way, and the next begins
// `keep` after its end. Any thread.
class Readiness {
 public:
  using Look = std::function<Awaitable<Status>()>;

  // `look` runs on `executor` and may take its time.
  Readiness(Look look, asio::any_io_executor executor, std::shared_ptr<Clock> clock,
            ReadinessOptions options = {});

  Awaitable<Ready> check();
  // From now on it is not ready, and nobody looks at the store any more.
  void drain() noexcept;
  // Waits for a look that is under way. False when it still is at the deadline: then again.
  Awaitable<bool> close(Deadline deadline);

 private:
  struct Attempt {
    explicit Attempt(Deadline::Point since) : begun(since) {}
    const Deadline::Point begun;
    Event over;
    bool good = false;  // once it is over
  };

  Awaitable<void> run(std::shared_ptr<Attempt> attempt);

  Look look_;
  asio::any_io_executor executor_;
  std::shared_ptr<Clock> clock_;
  const ReadinessOptions options_;
  std::mutex mutex_;  // guards what follows
  bool draining_ = false;
  std::shared_ptr<Attempt> running_;
  std::optional<bool> last_;
  Deadline::Point last_end_{};
  TaskGroup group_;
};

}  // namespace tus::app
