#include "app/readiness.h"

#include <utility>

namespace tus::app {

namespace {

Ready ready_if(bool good) { return good ? Ready::yes : Ready::unwritable; }

}  // namespace

Readiness::Readiness(Look look, asio::any_io_executor executor, std::shared_ptr<Clock> clock,
                     ReadinessOptions options)
    : look_(std::move(look)),
      executor_(std::move(executor)),
      clock_(std::move(clock)),
      options_(options),
      group_([](std::exception_ptr) {}) {}

Awaitable<Ready> Readiness::check() {
  std::shared_ptr<Attempt> attempt;
  bool begins = false;
  {
    std::lock_guard lock(mutex_);
    if (draining_) co_return Ready::draining;
    const auto now = clock_->now();
    if (last_ && now - last_end_ < options_.keep) co_return ready_if(*last_);
    begins = !running_;
    if (begins) running_ = std::make_shared<Attempt>(now);
    attempt = running_;
  }
  if (begins && !group_.spawn(executor_, run(attempt))) co_return Ready::draining;
  // Whoever comes later to one that hangs waits for less.
  if (!co_await attempt->over.wait(Deadline::after(attempt->begun, options_.patience))) {
    co_return Ready::no_answer;
  }
  co_return ready_if(attempt->good);
}

Awaitable<void> Readiness::run(std::shared_ptr<Attempt> attempt) {
  bool good = false;
  try {
    good = (co_await look_()).has_value();
  } catch (...) {
    // A store that throws cannot be written.
  }
  attempt->good = good;
  {
    std::lock_guard lock(mutex_);
    last_ = good;
    last_end_ = clock_->now();
    running_.reset();
  }
  attempt->over.set();
}

void Readiness::drain() noexcept {
  std::lock_guard lock(mutex_);
  draining_ = true;
}

Awaitable<bool> Readiness::close(Deadline deadline) {
  drain();
  return group_.close(deadline);
}

}  // namespace tus::app
