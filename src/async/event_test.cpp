#include "async/event.h"

#include "async/task_group.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace tus {
namespace {

using namespace std::chrono_literals;

Deadline in(std::chrono::milliseconds wait) {
  return Deadline::after(std::chrono::steady_clock::now(), wait);
}

// A loop with a thread of its own, as the server has one per core.
class Loop {
 public:
  Loop() : guard_(asio::make_work_guard(context_)), thread_([this] { context_.run(); }) {}
  ~Loop() {
    guard_.reset();
    thread_.join();
  }
  asio::any_io_executor executor() { return context_.get_executor(); }

  template <class T>
  std::future<T> start(Awaitable<T> task) {
    return asio::co_spawn(context_, std::move(task), asio::use_future);
  }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::thread thread_;
};

TEST(Event, WaitersOnManyLoopsHearOfIt) {
  std::vector<Loop> loops(3);
  Event event;
  std::vector<std::future<bool>> waits;
  for (int i = 0; i < 30; ++i) waits.push_back(loops[i % 3].start(event.wait(in(30s))));
  event.set();
  for (auto& wait : waits) EXPECT_TRUE(wait.get());
  EXPECT_TRUE(loops[0].start(event.wait(in(0ms))).get()) << "it stays set";
}

TEST(Event, AWaitEndsAtItsDeadline) {
  Loop loop;
  Event event;
  EXPECT_FALSE(loop.start(event.wait(in(1ms))).get());
  event.set();
  EXPECT_TRUE(event.is_set());
}

TEST(Event, NoWakeUpIsLostWhenSettingRacesWithWaiting) {
  Loop loop;
  for (int round = 0; round < 500; ++round) {
    Event event;
    auto wait = loop.start(event.wait(in(30s)));
    std::thread setter([&event] { event.set(); });
    EXPECT_TRUE(wait.get());
    setter.join();
  }
}

Awaitable<void> count_after(Event& start, std::atomic<int>& count) {
  co_await start.wait(Deadline::never());
  ++count;
}

Awaitable<void> throw_now() {
  throw std::runtime_error("task failed");
  co_return;
}

TEST(TaskGroup, CloseWaitsForWhatRuns) {
  Loop loop;
  Event start;
  std::atomic<int> count = 0;
  TaskGroup group({});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(group.spawn(loop.executor(), count_after(start, count)));
  EXPECT_FALSE(loop.start(group.close(in(1ms))).get()) << "they wait for the event";
  EXPECT_FALSE(group.spawn(loop.executor(), count_after(start, count))) << "closed";
  start.set();
  EXPECT_TRUE(loop.start(group.close(in(30s))).get());
  EXPECT_EQ(count, 5);
  EXPECT_EQ(group.running(), 0u);
}

TEST(TaskGroup, HearsOfExceptions) {
  Loop loop;
  std::atomic<int> errors = 0;
  TaskGroup group([&errors](std::exception_ptr) { ++errors; });
  group.spawn(loop.executor(), throw_now());
  EXPECT_TRUE(loop.start(group.close(in(30s))).get());
  EXPECT_EQ(errors, 1);
}

}  // namespace
}  // namespace tus
