#include "stores/s3/budget.h"

#include <algorithm>

namespace tus::s3 {

Room Room::split(std::uint64_t bytes) noexcept {
  bytes = std::min(bytes, bytes_);
  bytes_ -= bytes;
  return Room(budget_, bytes);
}

void Room::add(Room other) noexcept {
  if (budget_ == nullptr) budget_ = other.budget_;
  bytes_ += std::exchange(other.bytes_, 0);
}

void Room::release() noexcept {
  const auto bytes = std::exchange(bytes_, 0);
  if (bytes > 0) budget_->give_back(bytes);
}

std::uint64_t Budget::used() const noexcept {
  std::lock_guard lock(mutex_);
  return used_;
}

std::size_t Budget::waiting() const noexcept {
  std::lock_guard lock(mutex_);
  return waiters_.size();
}

Room Budget::try_reserve(std::uint64_t bytes) {
  bytes = std::min(bytes, limit_);
  std::lock_guard lock(mutex_);
  if (!waiters_.empty() || !fits_locked(bytes)) return {};
  used_ += bytes;
  return Room(this, bytes);
}

Awaitable<Room> Budget::reserve(std::uint64_t bytes, Deadline deadline) {
  bytes = std::min(bytes, limit_);
  std::shared_ptr<Waiter> waiter;
  {
    std::lock_guard lock(mutex_);
    if (waiters_.empty() && fits_locked(bytes)) {
      used_ += bytes;
      co_return Room(this, bytes);
    }
    waiter = waiters_.emplace_back(std::make_shared<Waiter>(bytes));
  }
  ask();
  (void)co_await waiter->event.wait(deadline);
  std::lock_guard lock(mutex_);
  if (waiter->served) co_return Room(this, bytes);
  waiters_.remove(waiter);
  serve_locked();
  co_return Room();
}

void Budget::give_back(std::uint64_t bytes) noexcept {
  {
    std::lock_guard lock(mutex_);
    used_ -= bytes;
    serve_locked();
  }
  ask();
}

void Budget::serve_locked() noexcept {
  while (!waiters_.empty() && fits_locked(waiters_.front()->bytes)) {
    const auto waiter = std::move(waiters_.front());
    waiters_.pop_front();
    used_ += waiter->bytes;
    waiter->served = true;
    waiter->event.set();
  }
}

bool Budget::is_short() const noexcept {
  std::lock_guard lock(mutex_);
  return !waiters_.empty();
}

// What is forgotten comes back through give_back() and would ask again: one asks at a time.
void Budget::ask() noexcept {
  while (is_short() && !asking_.exchange(true)) {
    const bool forgot = forget_one_ && forget_one_();
    const bool asked = !forgot && ask_a_holder();
    asking_ = false;
    // Who was asked gives back later, and then the next one is asked.
    if (asked || !forgot) return;
  }
}

bool Budget::ask_a_holder() noexcept {
  std::lock_guard lock(holders_mutex_);
  if (holders_.empty()) return false;
  auto* holder = holders_.front();
  holders_.pop_front();
  holder->in_line_ = false;
  holder->asked_();
  return true;
}

void Budget::Holder::begin() {
  {
    std::lock_guard lock(budget_.holders_mutex_);
    if (in_line_) return;
    place_ = budget_.holders_.insert(budget_.holders_.end(), this);
    in_line_ = true;
  }
  budget_.ask();
}

void Budget::Holder::end() noexcept {
  std::lock_guard lock(budget_.holders_mutex_);
  if (!in_line_) return;
  budget_.holders_.erase(place_);
  in_line_ = false;
}

}  // namespace tus::s3
