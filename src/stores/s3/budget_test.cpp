#include "stores/s3/budget.h"

#include <tus/testing/coro_test.h>

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace tus::s3 {
namespace {

using testing::run;
using testing::TestLoop;

const Deadline never = Deadline::never();

Awaitable<void> take(Budget& budget, std::uint64_t bytes, std::vector<Room>& to,
                     std::vector<int>& order, int name) {
  auto room = co_await budget.reserve(bytes, never);
  order.push_back(name);
  to.push_back(std::move(room));
}

// [S3-06] Nobody is passed by, however little others want.
TEST(budget, serves_in_the_order_of_coming) {
  Budget budget(10);
  auto first = budget.try_reserve(6);
  std::vector<Room> rooms;
  std::vector<int> order;
  TestLoop loop;
  loop.spawn(take(budget, 8, rooms, order, 1));
  loop.spawn(take(budget, 2, rooms, order, 2));
  loop.run_until_idle();
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(budget.try_reserve(1).bytes(), 0u);
  first.release();
  loop.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_EQ(budget.used(), 10u);
  rooms.clear();
  EXPECT_EQ(budget.used(), 0u);
}

// [S3-06]
TEST(budget, whoever_waits_too_long_gets_nothing) {
  Budget budget(10);
  auto all = budget.try_reserve(100);
  EXPECT_EQ(all.bytes(), 10u) << "more than there is is all of it";
  const auto soon = Deadline::after(std::chrono::steady_clock::now(), std::chrono::milliseconds(5));
  EXPECT_EQ(run(budget.reserve(1, soon)).bytes(), 0u);
  all.release();
  EXPECT_EQ(run(budget.reserve(10, never)).bytes(), 10u);
}

// [S3-06] What is only remembered goes first, then the work that has held longest is asked, one by one.
TEST(budget, asks_those_who_hold) {
  Budget budget(10);
  std::vector<Room> remembered;
  remembered.push_back(budget.try_reserve(2));
  budget.forget_with([&remembered] {
    if (remembered.empty()) return false;
    auto room = std::move(remembered.back());
    remembered.pop_back();
    return true;
  });
  std::vector<int> asked;
  Room rooms[2] = {budget.try_reserve(4), budget.try_reserve(4)};
  Budget::Holder one(budget, [&asked] { asked.push_back(1); });
  Budget::Holder two(budget, [&asked] { asked.push_back(2); });
  two.begin();
  one.begin();
  std::vector<Room> got;
  std::vector<int> order;
  TestLoop loop;
  loop.spawn(take(budget, 2, got, order, 1));
  loop.run_until_idle();
  EXPECT_EQ(order.size(), 1u);
  EXPECT_TRUE(asked.empty());
  loop.spawn(take(budget, 8, got, order, 2));
  loop.run_until_idle();
  EXPECT_EQ(asked, (std::vector<int>{2}));
  rooms[1].release();
  loop.run_until_idle();
  EXPECT_EQ(asked, (std::vector<int>{2, 1}));
  rooms[0].release();
  loop.run();
  EXPECT_EQ(order.size(), 2u);
}

// [S3-06]
TEST(budget, rooms_are_split_and_put_together) {
  Budget budget(10);
  auto room = budget.try_reserve(10);
  auto part = room.split(4);
  EXPECT_EQ(room.bytes(), 6u);
  EXPECT_EQ(part.bytes(), 4u);
  part.release();
  EXPECT_EQ(budget.used(), 6u);
  Room sum;
  sum.add(std::move(room));
  sum.add(budget.try_reserve(1));
  EXPECT_EQ(sum.bytes(), 7u);
  sum = Room();
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace tus::s3
