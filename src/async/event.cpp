#include "async/event.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

TUS_NAMESPACE_BEGIN

void Event::set() noexcept {
  std::vector<std::shared_ptr<asio::steady_timer>> waiters;
  {
    std::lock_guard lock(mutex_);
    if (set_) return;
    set_ = true;
    waiters.swap(waiters_);
  }
  for (auto& timer : waiters) {
    // Moving the expiry also wakes a wait that has not begun yet, which cancel() would not.
    auto executor = timer->get_executor();
    asio::post(executor, [moved = std::move(timer)] {
      moved->expires_at(asio::steady_timer::time_point::min());
    });
  }
}

bool Event::is_set() const noexcept {
  std::lock_guard lock(mutex_);
  return set_;
}

Awaitable<bool> Event::wait(Deadline deadline) {
  auto executor = co_await asio::this_coro::executor;
  std::shared_ptr<asio::steady_timer> timer;
  {
    std::lock_guard lock(mutex_);
    if (set_) co_return true;
    timer = std::make_shared<asio::steady_timer>(executor, deadline.when());
    waiters_.push_back(timer);
  }
  boost::system::error_code ignored;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  std::lock_guard lock(mutex_);
  std::erase(waiters_, timer);
  co_return set_;
}

Awaitable<void> sleep_until(Deadline deadline) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, deadline.when());
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

TUS_NAMESPACE_END
