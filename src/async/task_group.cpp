#include "async/task_group.h"

#include <boost/asio/co_spawn.hpp>

#include <cassert>
#include <mutex>
#include <utility>

TUS_NAMESPACE_BEGIN

struct TaskGroup::State {
  std::function<void(std::exception_ptr)> on_error;
  std::mutex mutex;
  std::size_t running = 0;
  bool closed = false;
  Event empty;

  void done() {
    {
      std::lock_guard lock(mutex);
      --running;
      if (running > 0 || !closed) return;
    }
    empty.set();
  }
};

// A task's place in its group. It ends with the task's handler, also when that is never called, because there was no
// memory to wait with: then the coroutine is destroyed.
class TaskGroup::Running {
 public:
  explicit Running(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  Running(Running&&) noexcept = default;
  Running& operator=(Running&&) = delete;
  ~Running() {
    if (state_) state_->done();
  }

  void failed(std::exception_ptr error) const {
    if (state_->on_error) state_->on_error(std::move(error));
  }

 private:
  std::shared_ptr<State> state_;
};

TaskGroup::TaskGroup(std::function<void(std::exception_ptr)> on_error)
    : state_(std::make_shared<State>()) {
  state_->on_error = std::move(on_error);
}

TaskGroup::~TaskGroup() { assert(running() == 0); }

bool TaskGroup::spawn(asio::any_io_executor executor, Awaitable<void> task) {
  {
    std::lock_guard lock(state_->mutex);
    if (state_->closed) return false;
    ++state_->running;
  }
  auto ended = [running = Running(state_)](std::exception_ptr error) {
    if (error) running.failed(std::move(error));
  };
  asio::co_spawn(executor, std::move(task), std::move(ended));
  return true;
}

std::size_t TaskGroup::running() const noexcept {
  std::lock_guard lock(state_->mutex);
  return state_->running;
}

Awaitable<bool> TaskGroup::close(Deadline deadline) {
  auto state = state_;
  {
    std::lock_guard lock(state->mutex);
    state->closed = true;
    if (state->running == 0) co_return true;
  }
  co_return co_await state->empty.wait(deadline);
}

TUS_NAMESPACE_END
