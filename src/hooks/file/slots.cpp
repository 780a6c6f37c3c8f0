#include "hooks/file/slots.h"

#include <algorithm>
#include <utility>

namespace tus::hooks {

Awaitable<std::optional<Slots::Slot>> Slots::take(Deadline deadline) {
  auto self = shared_from_this();
  auto waiter = std::make_shared<Waiter>();
  {
    const std::lock_guard lock(mutex_);
    if (closed_) co_return std::nullopt;
    if (free_ > 0) {
      --free_;
      co_return Slot(std::move(self));
    }
    line_.push_back(waiter);
  }
  co_await waiter->called.wait(deadline);
  const std::lock_guard lock(mutex_);
  // A slot that came with the deadline is taken all the same: it is ours to give back.
  if (waiter->has_slot) co_return Slot(std::move(self));
  std::erase(line_, waiter);
  co_return std::nullopt;
}

void Slots::close() noexcept {
  std::deque<std::shared_ptr<Waiter>> line;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    line.swap(line_);
  }
  for (auto& waiter : line) waiter->called.set();
}

void Slots::give_back() noexcept {
  std::shared_ptr<Waiter> next;
  {
    const std::lock_guard lock(mutex_);
    if (line_.empty()) {
      ++free_;
      return;
    }
    next = std::move(line_.front());
    line_.pop_front();
    next->has_slot = true;
  }
  next->called.set();
}

}  // namespace tus::hooks
