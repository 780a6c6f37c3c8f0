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
  auto ended = [state = state_](std::exception_ptr error) {
    if (error && state->on_error) state->on_error(error);
    state->done();
  };
  try {
    asio::co_spawn(executor, std::move(task), std::move(ended));
  } catch (...) {
    state_->done();
    throw;
  }
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
