#include <tus/runtime.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <future>
#include <latch>
#include <thread>

namespace tus {
namespace {

TEST(BlockingPool, RunsEveryJobOnceAlsoThoseLeftAtTheEnd) {  // [LOOP-3]
  std::atomic<int> ran = 0;
  {
    auto pool = make_blocking_pool(3);
    for (int i = 0; i < 1000; ++i) pool->submit([&](std::span<std::byte>) { ++ran; });
  }
  EXPECT_EQ(ran, 1000);
}

TEST(BlockingPool, ScratchBelongsToOneWorker) {
  auto pool = make_blocking_pool(2);
  std::latch both(2);
  std::promise<std::span<std::byte>> seen[2];
  for (auto& promise : seen) {
    pool->submit([&](std::span<std::byte> scratch) {
      both.arrive_and_wait();
      std::memset(scratch.data(), 1, scratch.size());
      promise.set_value(scratch);
    });
  }
  auto a = seen[0].get_future().get();
  auto b = seen[1].get_future().get();
  EXPECT_GE(a.size(), 64u * 1024);
  EXPECT_NE(a.data(), b.data());
}

TEST(BlockingPool, TellsHowManyWorkAndWait) {  // [METRIC-8]
  auto pool = make_blocking_pool(2);
  std::promise<void> gate;
  const auto open = gate.get_future().share();
  std::latch begun(2);
  std::latch ended(5);
  for (int i = 0; i < 5; ++i) {
    pool->submit([&, i](std::span<std::byte>) {
      if (i < 2) begun.count_down();
      open.wait();
      ended.count_down();
    });
  }
  begun.wait();
  auto seen = pool->figures();
  EXPECT_EQ(seen.threads, 2u);
  EXPECT_EQ(seen.busy, 2u);
  EXPECT_EQ(seen.waiting, 3u);
  gate.set_value();
  ended.wait();
  while (pool->figures().busy > 0) std::this_thread::yield();
  seen = pool->figures();
  EXPECT_EQ(seen.threads, 2u);
  EXPECT_EQ(seen.waiting, 0u);
}

TEST(BlockingPool, IsCrowdedOnlyWhileJobsWait) {  // [LOOP-4]
  auto pool = make_blocking_pool(1);
  EXPECT_FALSE(pool->is_crowded());
  std::promise<void> started;
  std::promise<void> gate;
  pool->submit([&](std::span<std::byte>) {
    started.set_value();
    gate.get_future().wait();
  });
  started.get_future().wait();
  EXPECT_FALSE(pool->is_crowded());
  std::promise<bool> crowded_later;
  pool->submit([&](std::span<std::byte>) { crowded_later.set_value(pool->is_crowded()); });
  EXPECT_TRUE(pool->is_crowded());
  gate.set_value();
  EXPECT_FALSE(crowded_later.get_future().get());
}

TEST(BlockingPool, LastOwnerMayBeAJob) {
  std::promise<void> done;
  auto pool = make_blocking_pool(2);
  std::promise<void> gate;
  auto* raw = pool.get();
  raw->submit([owner = std::move(pool), &gate, &done](std::span<std::byte>) mutable {
    gate.get_future().wait();
    owner.reset();
    done.set_value();
  });
  gate.set_value();
  done.get_future().wait();
}

TEST(BlockingPool, ManySubmitters) {
  auto pool = make_blocking_pool(4);
  std::atomic<int> ran = 0;
  std::vector<std::thread> submitters;
  for (int t = 0; t < 4; ++t) {
    submitters.emplace_back([&] {
      for (int i = 0; i < 500; ++i) pool->submit([&](std::span<std::byte>) { ++ran; });
    });
  }
  for (auto& thread : submitters) thread.join();
  pool.reset();
  EXPECT_EQ(ran, 2000);
}

}  // namespace
}  // namespace tus
