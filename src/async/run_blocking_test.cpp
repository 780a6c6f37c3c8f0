#include "async/run_blocking.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace tus {
namespace {

// Keeps its job until it is told to let go, as a worker does that is scheduled away behind it.
class HeldJob final : public BlockingPool {
 public:
  void submit(Job job) override { job_ = std::move(job); }
  bool is_crowded() const noexcept override { return false; }

  void run() {
    std::array<std::byte, 64> scratch{};
    job_(scratch);
  }
  void let_go() { job_ = nullptr; }

 private:
  Job job_;
};

Awaitable<void> ask(HeldJob& pool, int& answer) {
  auto work = [](std::span<std::byte>) { return 42; };
  answer = co_await run_blocking(pool, work);
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

// [LOOP-7] The worker may still be destroying its job when the answer has long arrived, its loop has
// ended and is gone.
TEST(RunBlocking, JobMayOutliveItsLoop) {
  HeldJob pool;
  int answer = 0;
  auto loop = std::make_unique<asio::io_context>();
  asio::co_spawn(*loop, ask(pool, answer), rethrow);
  loop->run_for(std::chrono::milliseconds(1));
  pool.run();
  loop->run_for(std::chrono::seconds(1));  // at once, unless the job keeps the loop alive
  EXPECT_EQ(answer, 42);
  loop.reset();
  pool.let_go();
}

// Each job on a thread of its own.
class ThreadPerJob final : public BlockingPool {
 public:
  ~ThreadPerJob() override {
    for (auto& thread : threads_) thread.join();
  }
  void submit(Job job) override {
    threads_.emplace_back([job = std::move(job)]() mutable { job({}); });
  }
  bool is_crowded() const noexcept override { return false; }

 private:
  std::vector<std::thread> threads_;
};

Awaitable<int> answer_of(BlockingPool& pool) {
  auto work = [](std::span<std::byte>) { return 42; };
  co_return co_await run_blocking(pool, work);
}

// [LOOP-7] A loop that ends, and is destroyed, with the answer: TSan sees whether the worker is still in it.
TEST(RunBlocking, WorkerIsOutOfTheLoopWhenItsAnswerArrives) {
  ThreadPerJob pool;
  for (int i = 0; i < 200; ++i) {
    asio::io_context loop;
    auto answer = asio::co_spawn(loop, answer_of(pool), asio::use_future);
    loop.run();
    EXPECT_EQ(answer.get(), 42);
  }
}

// [LOOP-7] A loop does not run dry while a job works for it.
TEST(RunBlocking, LoopWaitsForTheJob) {
  HeldJob pool;
  int answer = 0;
  asio::io_context loop;
  asio::co_spawn(loop, ask(pool, answer), rethrow);
  loop.poll();
  EXPECT_FALSE(loop.stopped());
  pool.run();
  loop.run();
  EXPECT_EQ(answer, 42);
}

}  // namespace
}  // namespace tus
