// Owns background coroutines: nothing runs that nobody waits for.
#pragma once

#include "async/event.h"

#include <tus/async.h>
#include <tus/deadline.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>

TUS_NAMESPACE_BEGIN

// Any thread may spawn. The group must be closed, and close() must have returned true, before it and
// what its tasks refer to are destroyed; the destructor asserts that nothing runs.
class TaskGroup {
 public:
  // `on_error` hears of exceptions that leave a task; called on the task's executor.
  explicit TaskGroup(std::function<void(std::exception_ptr)> on_error);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // False, and the task is dropped, once the group is closed.
  bool spawn(asio::any_io_executor executor, Awaitable<void> task);

  std::size_t running() const noexcept;

  // Takes no new task; waits for the running ones. False when some still run at the deadline.
  Awaitable<bool> close(Deadline deadline);

 private:
  struct State;
  class Running;
  std::shared_ptr<State> state_;
};

TUS_NAMESPACE_END
