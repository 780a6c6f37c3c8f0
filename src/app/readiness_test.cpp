#include "app/readiness.h"

#include <tus/testing/coro_test.h>
#include <tus/testing/manual_clock.h>

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace tus::app {
namespace {

using namespace std::chrono_literals;

struct Looking : ::testing::Test {
  Readiness::Look look() {
    return [this] { return this->one(); };
  }
  Awaitable<Status> one() {
    ++looks;
    if (gate != nullptr) co_await gate->wait(Deadline::never());
    if (throws) throw std::runtime_error("told to throw");
    if (!good) co_return fail(ErrorCode::no_space, "told to fail");
    co_return Status();
  }
  Ready ask() {
    Ready answer{};
    loop.spawn(ask_into(answer));
    loop.run();
    return answer;
  }
  Awaitable<void> ask_into(Ready& answer) { answer = co_await readiness->check(); }
  void make(ReadinessOptions options = {}) {
    readiness.emplace(look(), loop.executor(), clock, options);
  }
  Awaitable<void> close_now() { EXPECT_TRUE(co_await readiness->close(Deadline::never())); }
  void TearDown() override {
    loop.spawn(close_now());
    loop.run();
  }

  int looks = 0;
  bool good = true;
  bool throws = false;
  Event* gate = nullptr;
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  testing::TestLoop loop;
  std::optional<Readiness> readiness;
};

TEST_F(Looking, OnceASecondAtTheMost) {  // [HEALTH-3]
  make();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ask(), Ready::yes);
  EXPECT_EQ(looks, 1);
  clock->advance(999ms);
  good = false;
  EXPECT_EQ(ask(), Ready::yes) << "as of a moment ago";
  EXPECT_EQ(looks, 1);
  clock->advance(1ms);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ask(), Ready::unwritable) << "a bad answer is kept too";
  EXPECT_EQ(looks, 2);
  clock->advance(1s);
  good = true;
  EXPECT_EQ(ask(), Ready::yes);
  EXPECT_EQ(looks, 3);
}

TEST_F(Looking, ManyAtOnceWaitForOne) {  // [HEALTH-3]
  make();
  Event open;
  gate = &open;
  std::vector<Ready> answers(50, Ready::draining);
  for (auto& answer : answers) loop.spawn(ask_into(answer));
  loop.run_until_idle();
  EXPECT_EQ(looks, 1);
  open.set();
  loop.run();
  for (const auto answer : answers) EXPECT_EQ(answer, Ready::yes);
  EXPECT_EQ(looks, 1);
}

TEST_F(Looking, AStoreThatThrowsCannotBeWritten) {  // [HEALTH-2]
  make();
  throws = true;
  EXPECT_EQ(ask(), Ready::unwritable);
}

TEST_F(Looking, AStoreThatDoesNotAnswerIsNotAskedAgain) {  // [HEALTH-4]
  // Waits are by the real clock, so everybody's patience is over at once.
  make({.patience = -24h * 365 * 100});
  Event open;
  gate = &open;
  for (int i = 0; i < 10; ++i) {
    Ready answer{};
    loop.spawn(ask_into(answer));
    loop.run_until_idle();
    EXPECT_EQ(answer, Ready::no_answer);
    clock->advance(1h);
  }
  EXPECT_EQ(looks, 1);
  open.set();
  loop.run_until_idle();
  EXPECT_EQ(ask(), Ready::yes);
  EXPECT_EQ(looks, 1) << "what it said when it came back";
}

TEST_F(Looking, NotAtAllOnceItDrains) {  // [HEALTH-2]
  make();
  EXPECT_EQ(ask(), Ready::yes);
  readiness->drain();
  EXPECT_EQ(ask(), Ready::draining);
  clock->advance(1h);
  EXPECT_EQ(ask(), Ready::draining);
  EXPECT_EQ(looks, 1);
}

}  // namespace
}  // namespace tus::app
