#include "net/loop_runners.h"

#include "async/run_blocking.h"

#include <tus/runtime.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace tus {
namespace {

using Scratch = std::span<std::byte>;

Awaitable<std::thread::id> thread_of_job(BlockingPool& pool, Blocking how) {
  auto job = [](Scratch) { return std::this_thread::get_id(); };
  co_return co_await run_blocking(pool, job, how);
}

Awaitable<std::thread::id> thread_of_loop() { co_return std::this_thread::get_id(); }

struct LoopRunnersTest : ::testing::Test {
  EventLoops loops{1};
  asio::any_io_executor loop = loops.executors()[0];
  std::shared_ptr<BlockingPool> pool = make_blocking_pool(2);

  template <class T>
  T run(Awaitable<T> task) {
    return asio::co_spawn(loop, std::move(task), asio::use_future).get();
  }
};

TEST_F(LoopRunnersTest, AQuickJobRunsOnTheThreadOfItsLoop) {  // [LOOP-5]
  EXPECT_EQ(run(thread_of_job(*pool, Blocking::briefly)), run(thread_of_loop()));
  EXPECT_NE(run(thread_of_job(*pool, Blocking::for_long)), run(thread_of_loop()));
}

// Blocks until the loop has run another handler: without a hand-over it never would.
Awaitable<bool> block_until_loop_moves(BlockingPool& pool, asio::any_io_executor loop) {
  auto job = [loop](Scratch) {
    std::promise<void> moved;
    asio::post(loop, [&moved] { moved.set_value(); });
    moved.get_future().wait();
    return true;
  };
  co_return co_await run_blocking(pool, job);
}

// Blocks until the loop has told what it sees of that.
Awaitable<LoopFigures> look_from_beside(BlockingPool& pool, EventLoops& loops,
                                        asio::any_io_executor loop) {
  auto job = [&loops, loop](Scratch) {
    std::promise<LoopFigures> seen;
    asio::post(loop, [&] { seen.set_value(loops.figures()); });
    return seen.get_future().get();
  };
  co_return co_await run_blocking(pool, job);
}

TEST_F(LoopRunnersTest, ThreadsThatHangAreToldOf) {  // [METRIC-8]
  auto seen = loops.figures();
  EXPECT_EQ(seen.loops, 1u);
  EXPECT_EQ(seen.threads, 1u);
  EXPECT_EQ(seen.blocked, 0u);
  seen = run(look_from_beside(*pool, loops, loop));
  EXPECT_EQ(seen.loops, 1u);
  EXPECT_EQ(seen.threads, 2u);
  EXPECT_EQ(seen.blocked, 1u);
  while (loops.figures().blocked > 0) std::this_thread::yield();
  EXPECT_EQ(loops.figures().threads, 2u) << "one is parked";
}

TEST_F(LoopRunnersTest, AJobThatBlocksDoesNotStopItsLoop) {  // [LOOP-6]
  for (int i = 0; i < 600; ++i) EXPECT_TRUE(run(block_until_loop_moves(*pool, loop)));
}

TEST_F(LoopRunnersTest, AfterAJobThatBlockedTheNextGoToThePool) {  // [LOOP-6]
  EXPECT_TRUE(run(block_until_loop_moves(*pool, loop)));
  EXPECT_NE(run(thread_of_job(*pool, Blocking::briefly)), run(thread_of_loop()));
}

TEST_F(LoopRunnersTest, ManyBlockedJobsDoNotHoldTheLoopOrThePool) {  // [LOOP-6]
  auto wide = make_blocking_pool(8);
  std::vector<std::future<bool>> jobs;
  for (int i = 0; i < 100; ++i) {
    jobs.push_back(asio::co_spawn(loop, block_until_loop_moves(*wide, loop), asio::use_future));
  }
  for (auto& job : jobs) EXPECT_TRUE(job.get());
}

// Shorter than the watcher's looks, but not quick.
TEST_F(LoopRunnersTest, JobsThatAreAllALittleSlowGoToThePool) {  // [LOOP-9]
  auto slow = [](Scratch) {
    std::promise<void>().get_future().wait_for(std::chrono::milliseconds(1));
    return std::this_thread::get_id();
  };
  const auto here = run(thread_of_loop());
  int on_the_loop = 0;
  for (int i = 0; i < 50; ++i) {
    on_the_loop += run(run_blocking(*pool, slow, Blocking::briefly)) == here ? 1 : 0;
  }
  EXPECT_GT(on_the_loop, 0);
  EXPECT_LE(on_the_loop, 4);
}

struct Unguarded {
  int inside = 0;
  int most = 0;
  long steps = 0;
};

// Touches what only its loop may touch, and blocks in between now and then.
Awaitable<bool> step_often(BlockingPool& pool, Unguarded& state, int salt) {
  for (int i = 0; i < 300; ++i) {
    state.most = std::max(state.most, ++state.inside);
    ++state.steps;
    --state.inside;
    auto job = [i, salt](Scratch) {
      if ((i + salt) % 97 != 0) return true;
      std::promise<void> never;
      never.get_future().wait_for(std::chrono::milliseconds(5));
      return true;
    };
    co_await run_blocking(pool, job);
  }
  co_return true;
}

TEST_F(LoopRunnersTest, HandlersOfALoopNeverRunSideBySide) {  // [LOOP-1]
  Unguarded state;                                            // TSan watches it
  std::vector<std::future<bool>> tasks;
  for (int salt = 0; salt < 20; ++salt) {
    tasks.push_back(asio::co_spawn(loop, step_often(*pool, state, salt), asio::use_future));
  }
  for (auto& task : tasks) EXPECT_TRUE(task.get());
  EXPECT_EQ(state.most, 1);
  EXPECT_EQ(state.steps, 20 * 300);
}

Awaitable<int> count_jobs(BlockingPool& pool, int jobs, std::chrono::milliseconds each) {
  int done = 0;
  auto job = [each, &done](Scratch) {
    std::promise<void>().get_future().wait_for(each);
    return ++done;
  };
  for (int i = 0; i < jobs; ++i) co_await run_blocking(pool, job);
  co_return done;
}

void allow_no_more_threads() {
  rlimit none{0, 0};
  ::setrlimit(RLIMIT_NPROC, &none);
  // The limit is not for root.
  if (::getuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
}

[[noreturn]] void start_without_threads() {
  allow_no_more_threads();
  int failures = 0;
  try {
    EventLoops loops(2);
  } catch (const std::exception&) {
    ++failures;
  }
  try {
    make_blocking_pool(2);
  } catch (const std::exception&) {
    ++failures;
  }
  ::_exit(failures == 2 ? 0 : 2);
}

TEST(LoopRunnersDeathTest, ThreadsThatCannotBeMadeAtTheStartAreAnError) {  // [LOOP-8]
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(start_without_threads(), ::testing::ExitedWithCode(0), "");
}

// In a process of its own, which may have no more threads than it has.
[[noreturn]] void block_without_threads() {
  EventLoops loops(2);
  auto pool = make_blocking_pool(1);
  allow_no_more_threads();
  auto result = asio::co_spawn(
      loops.executors()[0], count_jobs(*pool, 3, std::chrono::milliseconds(50)), asio::use_future);
  ::_exit(result.get() == 3 ? 0 : 2);
}

TEST(LoopRunnersDeathTest, AJobThatBlocksWhenThereAreNoMoreThreadsOnlyDelaysItsLoop) {  // [LOOP-8]
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(block_without_threads(), ::testing::ExitedWithCode(0), "");
}

Awaitable<bool> submit_from_jobs(BlockingPool& pool, asio::any_io_executor loop) {
  std::promise<void> last;
  auto finished = last.get_future().share();
  auto job = [&pool, &last, loop](Scratch) {
    // From a job: no loop's handler runs here, so it goes to the pool.
    pool.submit([&last](Scratch) { last.set_value(); });
    return true;
  };
  co_await run_blocking(pool, job);
  auto wait = [finished](Scratch) {
    return finished.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  };
  co_return co_await run_blocking(pool, wait);
}

TEST_F(LoopRunnersTest, AJobMaySubmitJobs) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(run(submit_from_jobs(*pool, loop)));
}

TEST(LoopRunners, StoppingRacesWithJobsThatBlockAndLosesNone) {  // [LOOP-2]
  for (int round = 0; round < 30; ++round) {
    auto pool = make_blocking_pool(2);
    std::atomic<int> ran = 0;
    std::atomic<int> submitted = 0;
    {
      EventLoops loops(2);
      for (const auto& loop : loops.executors()) {
        for (int i = 0; i < 20; ++i) {
          asio::post(loop, [&, i] {
            ++submitted;
            pool->submit([&, i](Scratch) {
              std::promise<void>().get_future().wait_for(std::chrono::milliseconds(i % 7));
              ++ran;
            });
          });
        }
      }
      std::promise<void>().get_future().wait_for(std::chrono::milliseconds(round));
    }
    pool.reset();
    EXPECT_EQ(ran, submitted);
  }
}

TEST(LoopRunners, StopWaitsForAJobThatRuns) {
  auto pool = make_blocking_pool(1);
  std::atomic<bool> done = false;
  std::latch begun(1);
  {
    EventLoops loops(1);
    asio::post(loops.executors()[0], [&] {
      pool->submit([&](Scratch) {
        begun.count_down();
        std::promise<void> never;
        never.get_future().wait_for(std::chrono::milliseconds(30));
        done = true;
      });
    });
    begun.wait();
  }
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace tus
