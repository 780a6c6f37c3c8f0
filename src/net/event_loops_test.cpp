#include <tus/runtime.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <future>
#include <new>
#include <set>
#include <thread>

namespace tus {
namespace {

TEST(EventLoops, EveryExecutorHasItsOwnThread) {  // [LOOP-1]
  EventLoops loops(3);
  std::set<std::thread::id> threads;
  for (auto& executor : loops.executors()) {
    std::promise<std::thread::id> id;
    asio::post(executor, [&] { id.set_value(std::this_thread::get_id()); });
    threads.insert(id.get_future().get());
  }
  EXPECT_EQ(threads.size(), 3u);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST(EventLoops, NoLoopsAskedForMeansOne) {
  EventLoops loops(0);
  EXPECT_EQ(loops.executors().size(), 1u);
}

TEST(EventLoops, StopLeavesNothingRunningAndMayBeRepeated) {
  EventLoops loops(2);
  auto executors = loops.executors();
  loops.stop();
  bool ran = false;
  asio::post(executors[0], [&] { ran = true; });
  loops.stop();
  EXPECT_FALSE(ran);
}

// As a wait throws that there is no memory for.
TEST(EventLoops, AHandlerThatThrowsIsTheOnlyOneThatIsLost) {  // [ABUSE-40]
  EventLoops loops(1);
  const auto executor = loops.executors().front();
  asio::post(executor, [] { throw std::bad_alloc(); });
  std::promise<void> later;
  asio::post(executor, [&] { later.set_value(); });
  later.get_future().get();
  EXPECT_EQ(loops.figures().failures, 1u);
}

TEST(EventLoops, WaitsThatOwnThingsOfOtherLoopsAreDropped) {  // [LOOP-2]
  // Each handler owns a timer of the other loop, so no order of destruction is right by itself.
  auto loops = std::make_unique<EventLoops>(2);
  auto executors = loops->executors();
  for (int i = 0; i < 2; ++i) {
    auto foreign = std::make_shared<asio::steady_timer>(executors[1 - i]);
    auto timer = std::make_shared<asio::steady_timer>(executors[i], std::chrono::hours(1));
    timer->async_wait([foreign, timer](boost::system::error_code) {});
  }
  loops.reset();
}

}  // namespace
}  // namespace tus
