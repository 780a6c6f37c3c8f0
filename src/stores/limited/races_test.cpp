// Creations, appends, terminations and counts on threads: what is there never passes the limit, and when all
// have ended nothing is taken that is not there.
#include "stores/limited/limited_test_kit.h"

#include <array>
#include <random>

namespace tus::limited_store {
namespace {

using namespace test;

constexpr std::uint64_t limit = 1000;
constexpr int threads = 4;

// What the threads know to be taken, at this moment.
class Held {
 public:
  void add(std::uint64_t bytes) {
    const auto now = sum_ += bytes;
    auto known = most_.load();
    while (known < now && !most_.compare_exchange_weak(known, now)) {
    }
  }
  void subtract(std::uint64_t bytes) { sum_ -= bytes; }
  std::uint64_t most() const { return most_; }

 private:
  std::atomic<std::uint64_t> sum_ = 0;
  std::atomic<std::uint64_t> most_ = 0;
};

Awaitable<std::uint64_t> fill(Upload& upload, std::minstd_rand& random, Held& held) {
  const FakeLease lease;
  if (const auto length = upload.info().length) {
    held.add(*length);
    ScriptSource source(BodyScript::chunked(std::string(*length, 'x'), 50));
    auto outcome = co_await upload.append(lease, source, AppendRequest(0), never);
    EXPECT_FALSE(outcome.error);
    co_return *length;
  }
  ScriptSource source(BodyScript::chunked(std::string(random() % 300, 'x'), 50));
  auto outcome = co_await upload.append(lease, source, AppendRequest(0), never);
  EXPECT_TRUE(!outcome.error || *outcome.error == ErrorCode::no_space);
  held.add(outcome.safe_offset);
  const auto length = outcome.safe_offset + random() % 100;
  auto declared = co_await upload.declare_length(lease, length, never);
  if (!declared) co_return outcome.safe_offset;
  held.add(length - outcome.safe_offset);
  co_return length;
}

Awaitable<void> create_and_end(House& house, int thread, Held& held) {
  std::minstd_rand random(static_cast<unsigned>(thread) + 1);
  const FakeLease lease;
  for (int round = 0; round < 300; ++round) {
    const auto id = "t" + std::to_string(thread) + "-" + std::to_string(round % 3);
    const bool deferred = random() % 2 == 0;
    auto draft = draft_of(id, deferred ? std::nullopt : std::optional(1 + random() % 500));
    auto made = co_await house.store().create(std::move(draft), lease, {}, never);
    if (!made) {
      EXPECT_TRUE(made.error() == ErrorCode::no_space) << made.error().detail();
      continue;
    }
    held.subtract(co_await fill(**made, random, held));
    EXPECT_TRUE(co_await (*made)->terminate(lease, never));
  }
}

Awaitable<void> keep_counting(House& house, std::atomic<int>& running) {
  while (running > 0) {
    house.clock->advance(house.options.count_again_after);
    (void)co_await house.store().create(draft_of("too-large", limit), FakeLease(), {}, never);
    auto opened = co_await house.store().open(id_of("too-large"), FakeLease(), never);
    if (opened) (void)co_await (*opened)->terminate(FakeLease(), never);
  }
}

Awaitable<void> counted(Awaitable<void> task, std::atomic<int>& running) {
  co_await std::move(task);
  --running;
}

// [LIMIT-4] [LIMIT-7]
TEST(LimitedStore, NeverOverbooksOnThreads) {
  House house(limit);
  house.store();
  Held held;
  // On a machine that does other things too, threads may come one after the other.
  for (int round = 0; round < 50 && (held.most() <= limit / 2 || house.behind->scans < 2);
       ++round) {
    std::atomic<int> running = threads - 1;
    testing::run_on_threads(threads, [&](int thread) {
      if (thread == threads - 1) return keep_counting(house, running);
      return counted(create_and_end(house, thread, held), running);
    });
  }
  EXPECT_LE(held.most(), limit);
  EXPECT_GT(held.most(), limit / 2) << "they have hardly met";
  EXPECT_GT(house.behind->scans, 1);
  EXPECT_EQ(house.taken(), 0u);
}

Awaitable<void> create_one(House& house, int thread, std::atomic<int>& created) {
  for (int i = 0; i < 100; ++i) {
    const auto id = std::to_string(thread) + "-" + std::to_string(i);
    auto made = co_await house.store().create(draft_of(id, 10), FakeLease(), {}, never);
    if (made) ++created;
  }
}

// [LIMIT-4] The first count meets all of them.
TEST(LimitedStore, GivesEachRoomOnce) {
  House house(limit);
  ASSERT_TRUE(house.create("there", 200));
  house.restart();
  std::atomic<int> created = 0;
  testing::run_on_threads(threads, [&](int thread) { return create_one(house, thread, created); });
  EXPECT_EQ(created, 80);
  EXPECT_EQ(house.taken(), limit);
  EXPECT_EQ(run(house.behind->usage(never))->uploads, 81u);
}

}  // namespace
}  // namespace tus::limited_store
