// Runs a function on the blocking pool while the coroutine that asked waits for it.
#pragma once

#include <tus/async.h>
#include <tus/blocking_pool.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <thread>
#include <type_traits>
#include <utility>

TUS_NAMESPACE_BEGIN

enum class Blocking : std::uint8_t {
  briefly,   // a few file operations
  for_long,  // syncs, and whatever else waits for a disk to turn
};

// `work` is called once on a pool thread with the worker's scratch buffer; what it returns, or throws,
// comes back on the coroutine's executor. `work` lives in this coroutine's frame until then, so it may
// refer to what the awaiting coroutine keeps alive.
template <class Work>
Awaitable<std::invoke_result_t<Work&, std::span<std::byte>>> run_blocking(
    BlockingPool& pool, Work work, Blocking how = Blocking::briefly) {
  using R = std::invoke_result_t<Work&, std::span<std::byte>>;
  static_assert(!std::is_void_v<R>, "return something, if only a Status");
  std::optional<R> result;
  std::exception_ptr thrown;
  std::atomic<bool> posted = false;
  auto executor = co_await asio::this_coro::executor;
  auto initiate = [&pool, &work, &result, &thrown, &posted, &executor, how](auto handler) {
    auto guard = asio::make_work_guard(executor);
    BlockingPool::Job job([&work, &result, &thrown, &posted, guard = std::move(guard),
                           handler = std::move(handler)](std::span<std::byte> scratch) mutable {
      try {
        result.emplace(work(scratch));
      } catch (...) {
        thrown = std::current_exception();
      }
      // Once the coroutine goes on, its frame may be gone, and the loop too. So nothing of the loop may
      // be left behind in this job: the guard goes with the handler, and the coroutine waits the moment
      // that this thread still needs to get out of post().
      {
        auto executor = guard.get_executor();
        asio::post(executor, [guard = std::move(guard), handler = std::move(handler)]() mutable {
          std::move(handler)();
        });
      }
      posted.store(true, std::memory_order_release);
    });
    if (how == Blocking::for_long) {
      pool.submit_slow(std::move(job));
    } else {
      pool.submit(std::move(job));
    }
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiate,
                                                                       asio::use_awaitable);
  while (!posted.load(std::memory_order_acquire)) std::this_thread::yield();
  if (thrown) std::rethrow_exception(thrown);
  co_return std::move(*result);
}

TUS_NAMESPACE_END
