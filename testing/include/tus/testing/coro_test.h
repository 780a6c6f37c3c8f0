// Runs coroutines in tests, with a time limit.
#pragma once

#include <tus/async.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

inline constexpr std::chrono::seconds coroutine_limit{60};

// Event loops that are not used now. A thread of a pool that has woken a coroutine may still be on its
// way out of asio::post() when that coroutine, and the test, have ended; so a loop is not destroyed then,
// but used again.
class IdleLoops {
 public:
  using Loop = std::unique_ptr<asio::io_context>;

  static Loop take() {
    auto& self = instance();
    std::lock_guard lock(self.mutex_);
    if (self.idle_.empty()) return std::make_unique<asio::io_context>(1);
    auto loop = std::move(self.idle_.back());
    self.idle_.pop_back();
    return loop;
  }
  static void give_back(Loop loop) {
    auto& self = instance();
    std::lock_guard lock(self.mutex_);
    self.idle_.push_back(std::move(loop));
  }

 private:
  static IdleLoops& instance() {
    static IdleLoops loops;
    return loops;
  }
  std::mutex mutex_;
  std::vector<Loop> idle_;
};

// An event loop that is driven by the thread of the test.
class TestLoop {
 public:
  TestLoop() : context_(IdleLoops::take()) {}
  // Coroutines that have not ended are destroyed with their loop.
  ~TestLoop() {
    if (context_ && running_ == 0) IdleLoops::give_back(std::move(context_));
  }
  TestLoop(const TestLoop&) = delete;
  TestLoop& operator=(const TestLoop&) = delete;

  asio::any_io_executor executor() { return context_->get_executor(); }

  // Starts a coroutine; it runs during run() and run_until_idle().
  void spawn(Awaitable<void> task) {
    ++running_;
    asio::co_spawn(*context_, std::move(task), [this](std::exception_ptr error) {
      --running_;
      if (error && !thrown_) thrown_ = error;
    });
  }

  // Until all coroutines have ended; throws what one of them threw, or that they did not end.
  void run() {
    const auto end = std::chrono::steady_clock::now() + coroutine_limit;
    while (running_ > 0 && !thrown_ && std::chrono::steady_clock::now() < end) {
      context_->restart();
      context_->run_one_until(end);
    }
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    if (running_ == 0) return;
    // What still runs elsewhere may come back to this loop: it must not be gone then.
    (void)context_.release();
    throw std::runtime_error("a coroutine did not end in time");
  }

  // Whatever can go on without waiting for time or other threads.
  void run_until_idle() {
    context_->restart();
    context_->poll();
  }

 private:
  std::unique_ptr<asio::io_context> context_;
  int running_ = 0;
  std::exception_ptr thrown_;
};

template <class T>
Awaitable<void> keep_result(Awaitable<T> task, std::optional<T>& result) {
  result.emplace(co_await std::move(task));
}

// Runs one coroutine on a loop of its own and returns what it returns.
template <class T>
T run(Awaitable<T> task) {
  TestLoop loop;
  if constexpr (std::is_void_v<T>) {
    loop.spawn(std::move(task));
    loop.run();
  } else {
    std::optional<T> result;
    loop.spawn(keep_result(std::move(task), result));
    loop.run();
    return *std::move(result);
  }
}

// Runs `make(0)` ... `make(threads - 1)`, each on a thread and a loop of its own.
inline void run_on_threads(int threads, const std::function<Awaitable<void>(int)>& make) {
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(threads));
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&make, &error = thrown[static_cast<std::size_t>(i)], i] {
      try {
        run(make(i));
      } catch (...) {
        error = std::current_exception();
      }
    });
  }
  for (auto& thread : all) thread.join();
  for (auto& error : thrown) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace testing

TUS_NAMESPACE_END
