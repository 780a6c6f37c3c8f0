#include "hooks/file/slots.h"

#include <tus/testing/coro_test.h>

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace tus::hooks {
namespace {

using tus::testing::TestLoop;
using Taken = std::optional<Slots::Slot>;

Awaitable<void> take(std::shared_ptr<Slots> slots, Deadline deadline, std::string name,
                     std::vector<std::string>& order, std::vector<Taken>& taken) {
  auto slot = co_await slots->take(deadline);
  order.push_back(slot ? name : "no " + name);
  taken.push_back(std::move(slot));
}

struct SlotsTest : ::testing::Test {
  void take(std::string name, Deadline deadline = Deadline::never()) {
    loop.spawn(hooks::take(slots, deadline, std::move(name), order, taken));
    loop.run_until_idle();
  }

  TestLoop loop;
  std::shared_ptr<Slots> slots = std::make_shared<Slots>(2);
  std::vector<std::string> order;
  std::vector<Taken> taken;
};

TEST_F(SlotsTest, AreGivenInTheOrderOfAsking) {  // [HOOK-133]
  for (auto name : {"a", "b", "c", "d"}) take(name);
  EXPECT_EQ(order, (std::vector<std::string>{"a", "b"}));
  taken[0].reset();
  loop.run_until_idle();
  EXPECT_EQ(order, (std::vector<std::string>{"a", "b", "c"}));
  taken[1].reset();
  loop.run();
  EXPECT_EQ(order, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(SlotsTest, AreNotWaitedForBeyondTheDeadlineAndNotLostThen) {  // [HOOK-133]
  take("a");
  take("b");
  const auto now = std::chrono::steady_clock::now();
  take("late", Deadline::after(now, std::chrono::milliseconds(1)));
  take("c");
  while (order.size() < 3) {
    loop.run_until_idle();
    std::this_thread::yield();
  }
  EXPECT_EQ(order.back(), "no late");
  taken[0].reset();
  loop.run();
  EXPECT_EQ(order.back(), "c");
}

TEST_F(SlotsTest, AreRefusedToAllOnceClosed) {
  take("a");
  take("b");
  take("waits");
  slots->close();
  taken[0].reset();
  take("later");
  loop.run();
  EXPECT_EQ(order, (std::vector<std::string>{"a", "b", "no later", "no waits"}));
}

}  // namespace
}  // namespace tus::hooks
