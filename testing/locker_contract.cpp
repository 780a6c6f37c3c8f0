#include "testing/contract.h"

#include <tus/testing/coro_test.h>
#include <tus/testing/fake_lease.h>
#include <tus/testing/locker_contract.h>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

using LockerTest = ContractTest<std::shared_ptr<Locker>>;
using LeaseResult = Result<std::unique_ptr<Lease>>;
using Answer = LeaseHolder::Answer;

UploadId id_of(std::string_view text) { return *UploadId::parse(text); }

Deadline in_a_moment() {
  return Deadline::after(std::chrono::steady_clock::now(), std::chrono::milliseconds(30));
}

std::shared_ptr<FakeHolder> holder(Answer answer = Answer::releasing) {
  return std::make_shared<FakeHolder>(answer);
}

std::unique_ptr<Lease> take(Locker& locker, std::string_view id,
                            std::shared_ptr<LeaseHolder> by = holder()) {
  auto lease = run(locker.acquire(id_of(id), Deadline::never(), std::move(by)));
  EXPECT_TRUE(lease);
  return lease ? *std::move(lease) : nullptr;
}

void expect_error(const LeaseResult& result, ErrorCode code) {
  ASSERT_FALSE(result);
  EXPECT_EQ(describe(result.error().code()).code, describe(code).code);
}

// [LOCK-5]
void gives_a_free_upload_at_once(std::shared_ptr<Locker>& locker) {
  auto lease = take(*locker, "a");
  EXPECT_FALSE(lease->lost());
  EXPECT_GT(lease->token(), 0u);
  auto other = take(*locker, "b");
  EXPECT_TRUE(*run(locker->is_held(id_of("a"))));
  EXPECT_FALSE(*run(locker->is_held(id_of("c"))));
  lease.reset();
  EXPECT_FALSE(*run(locker->is_held(id_of("a"))));
  EXPECT_TRUE(*run(locker->is_held(id_of("b"))));
}

// [LOCK-6]
void gives_growing_tokens(std::shared_ptr<Locker>& locker) {
  std::uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    auto lease = take(*locker, "a");
    EXPECT_GT(lease->token(), last);
    last = lease->token();
  }
}

// [LOCK-7]
void turns_away_when_the_holder_is_busy(std::shared_ptr<Locker>& locker) {
  auto busy = holder(Answer::busy);
  auto lease = take(*locker, "a", busy);
  expect_error(run(locker->acquire(id_of("a"), Deadline::never(), holder())),
               ErrorCode::upload_locked);
  EXPECT_EQ(busy->requests(), 1);
  lease.reset();
  EXPECT_NE(take(*locker, "a"), nullptr);
}

// [LOCK-8]
void gives_up_at_the_deadline(std::shared_ptr<Locker>& locker) {
  auto slow = holder();
  auto lease = take(*locker, "a", slow);
  expect_error(run(locker->acquire(id_of("a"), in_a_moment(), holder())), ErrorCode::lock_timeout);
  EXPECT_EQ(slow->requests(), 1);
  EXPECT_FALSE(lease->lost());
  // Whoever gave up does not get the lease later.
  lease.reset();
  EXPECT_FALSE(*run(locker->is_held(id_of("a"))));
}

Awaitable<void> acquire(Locker& locker, std::shared_ptr<LeaseHolder> by, LeaseResult& result) {
  result = co_await locker.acquire(id_of("a"), Deadline::never(), std::move(by));
}

// [LOCK-7]
void hands_over_when_released(std::shared_ptr<Locker>& locker) {
  auto first = holder();
  auto lease = take(*locker, "a", first);
  auto token = lease->token();
  LeaseResult second = fail(ErrorCode::internal);
  TestLoop loop;
  loop.spawn(acquire(*locker, holder(), second));
  loop.run_until_idle();
  EXPECT_EQ(first->requests(), 1);
  EXPECT_FALSE(second);
  lease.reset();
  loop.run();
  ASSERT_TRUE(second);
  EXPECT_GT((*second)->token(), token);
}

// [LOCK-7]
void hands_over_in_the_order_of_asking(std::shared_ptr<Locker>& locker) {
  std::array<std::shared_ptr<FakeHolder>, 4> holders{holder(), holder(), holder(), holder()};
  auto lease = take(*locker, "a", holders[0]);
  std::array<LeaseResult, 3> results{fail(ErrorCode::internal), fail(ErrorCode::internal),
                                     fail(ErrorCode::internal)};
  TestLoop loop;
  for (std::size_t i = 0; i < 3; ++i) {
    loop.spawn(acquire(*locker, holders[i + 1], results[i]));
    loop.run_until_idle();
  }
  EXPECT_EQ(holders[0]->requests(), 3) << "each newcomer asks the holder";
  lease.reset();
  for (std::size_t i = 0; i < 3; ++i) {
    loop.run_until_idle();
    ASSERT_TRUE(results[i]) << i;
    if (i < 2) {
      EXPECT_FALSE(results[i + 1]);
      EXPECT_GE(holders[i + 1]->requests(), 1) << "those behind ask the new holder";
    }
    results[i] = fail(ErrorCode::internal);
  }
}

// [LOCK-7]
void turns_away_those_behind_a_busy_holder(std::shared_ptr<Locker>& locker) {
  auto lease = take(*locker, "a");
  LeaseResult second = fail(ErrorCode::internal);
  LeaseResult third = fail(ErrorCode::internal);
  TestLoop loop;
  loop.spawn(acquire(*locker, holder(Answer::busy), second));
  loop.spawn(acquire(*locker, holder(), third));
  loop.run_until_idle();
  lease.reset();
  loop.run();
  ASSERT_TRUE(second);
  expect_error(third, ErrorCode::upload_locked);
  second = fail(ErrorCode::internal);
  EXPECT_FALSE(*run(locker->is_held(id_of("a"))));
}

// [LOCK-7]
void turns_away_those_who_wait_for_one_that_becomes_busy(std::shared_ptr<Locker>& locker) {
  auto first = holder();
  auto lease = take(*locker, "a", first);
  LeaseResult second = fail(ErrorCode::internal);
  TestLoop loop;
  loop.spawn(acquire(*locker, holder(), second));
  loop.run_until_idle();
  first->become(Answer::busy);
  loop.run();
  expect_error(second, ErrorCode::upload_locked);
  EXPECT_FALSE(lease->lost());
}

std::shared_ptr<FakeHolder> holder_since(int second) {
  return std::make_shared<FakeHolder>(Answer::releasing,
                                      Deadline::Point(std::chrono::seconds(second)));
}

// [LOCK-11]
void lets_older_requests_in_first(std::shared_ptr<Locker>& locker) {
  auto lease = take(*locker, "a", holder_since(1));
  LeaseResult oldest = fail(ErrorCode::internal);
  LeaseResult middle = fail(ErrorCode::internal);
  LeaseResult newest = fail(ErrorCode::internal);
  TestLoop loop;
  loop.spawn(acquire(*locker, holder_since(4), newest));
  loop.run_until_idle();
  loop.spawn(acquire(*locker, holder_since(2), oldest));
  loop.run_until_idle();
  loop.spawn(acquire(*locker, holder_since(3), middle));
  loop.run_until_idle();
  for (auto* next : {&oldest, &middle, &newest}) {
    lease.reset();
    loop.run_until_idle();
    ASSERT_TRUE(*next);
    lease = std::move(**next);
  }
  loop.run();
}

// [LOCK-11]
void asks_no_newer_holder(std::shared_ptr<Locker>& locker) {
  auto newer = holder_since(2);
  auto lease = take(*locker, "a", newer);
  expect_error(run(locker->acquire(id_of("a"), Deadline::never(), holder_since(1))),
               ErrorCode::upload_locked);
  EXPECT_EQ(newer->requests(), 0);
}

// [LOCK-8]
void leaves_no_trace_of_a_destroyed_waiter(std::shared_ptr<Locker>& locker) {
  auto lease = take(*locker, "a");
  {
    LeaseResult never = fail(ErrorCode::internal);
    TestLoop loop;
    loop.spawn(acquire(*locker, holder(), never));
    loop.run_until_idle();
  }
  lease.reset();
  EXPECT_FALSE(*run(locker->is_held(id_of("a"))));
}

// [LOCK-8]
void leaves_no_trace_of_one_destroyed_with_its_lease(std::shared_ptr<Locker>& locker) {
  auto lease = take(*locker, "a");
  {
    LeaseResult never = fail(ErrorCode::internal);
    TestLoop loop;
    loop.spawn(acquire(*locker, holder(), never));
    loop.run_until_idle();
    lease.reset();
  }
  EXPECT_FALSE(*run(locker->is_held(id_of("a")))) << "it was handed over and never taken";
}

void outlives_its_locker(std::shared_ptr<Locker>& locker) {
  auto lease = take(*locker, "a");
  locker.reset();
  EXPECT_FALSE(lease->lost());
}

// A counter that only the holder of the lease may touch.
struct Guarded {
  std::atomic<int> inside{0};
  int count = 0;
  std::uint64_t token = 0;
};

Awaitable<void> count_up(Locker& locker, std::array<Guarded, 3>& guarded) {
  constexpr std::array<std::string_view, 3> ids{"a", "b", "c/d"};
  for (std::size_t i = 0; i < 300; ++i) {
    auto& mine = guarded[i % 3];
    auto lease = co_await locker.acquire(id_of(ids[i % 3]), Deadline::never(), holder());
    EXPECT_TRUE(lease);
    if (!lease) co_return;
    EXPECT_EQ(mine.inside.fetch_add(1), 0);
    EXPECT_GT((*lease)->token(), mine.token);
    mine.token = (*lease)->token();
    ++mine.count;
    mine.inside.fetch_sub(1);
  }
}

// [LOCK-5]
void lets_one_in_at_a_time(std::shared_ptr<Locker>& locker) {
  std::array<Guarded, 3> guarded;
  run_on_threads(4, [&](int) { return count_up(*locker, guarded); });
  for (auto& one : guarded) EXPECT_EQ(one.count, 400);
}

// Askers that are patient, hasty or turned away, and holders that are busy now and then.
Awaitable<void> storm(Locker& locker, int thread, Guarded& guarded, std::atomic<int>& granted) {
  for (int i = 0; i < 200; ++i) {
    auto answer = (i + thread) % 5 == 0 ? Answer::busy : Answer::releasing;
    auto wait = std::chrono::microseconds((i * 37 + thread * 11) % 400);
    auto deadline = Deadline::after(std::chrono::steady_clock::now(), wait);
    auto lease = co_await locker.acquire(id_of("a"), deadline, holder(answer));
    if (!lease) continue;
    EXPECT_EQ(guarded.inside.fetch_add(1), 0);
    EXPECT_GT((*lease)->token(), guarded.token);
    guarded.token = (*lease)->token();
    ++granted;
    auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    guarded.inside.fetch_sub(1);
  }
}

void keeps_order_in_a_storm(std::shared_ptr<Locker>& locker) {
  Guarded guarded;
  std::atomic<int> granted{0};
  // How many get in before their deadlines depends on the machine: a busy one needs more rounds.
  for (int round = 0; round < 50 && granted <= 100; ++round) {
    run_on_threads(4, [&](int thread) { return storm(*locker, thread, guarded, granted); });
  }
  EXPECT_GT(granted, 100);
  EXPECT_FALSE(*run(locker->is_held(id_of("a")))) << "no lease is left to somebody who gave up";
}

constexpr LockerTest tests[] = {
    {"gives_a_free_upload_at_once", gives_a_free_upload_at_once},
    {"gives_growing_tokens", gives_growing_tokens},
    {"turns_away_when_the_holder_is_busy", turns_away_when_the_holder_is_busy},
    {"gives_up_at_the_deadline", gives_up_at_the_deadline},
    {"hands_over_when_released", hands_over_when_released},
    {"hands_over_in_the_order_of_asking", hands_over_in_the_order_of_asking},
    {"turns_away_those_behind_a_busy_holder", turns_away_those_behind_a_busy_holder},
    {"turns_away_those_who_wait_for_one_that_becomes_busy",
     turns_away_those_who_wait_for_one_that_becomes_busy},
    {"lets_older_requests_in_first", lets_older_requests_in_first},
    {"asks_no_newer_holder", asks_no_newer_holder},
    {"leaves_no_trace_of_a_destroyed_waiter", leaves_no_trace_of_a_destroyed_waiter},
    {"leaves_no_trace_of_one_destroyed_with_its_lease",
     leaves_no_trace_of_one_destroyed_with_its_lease},
    {"outlives_its_locker", outlives_its_locker},
    {"lets_one_in_at_a_time", lets_one_in_at_a_time},
    {"keeps_order_in_a_storm", keeps_order_in_a_storm},
};

}  // namespace

int add_locker_contract(const std::string& name, MakeLocker make) {
  auto run_one = [make](void (*body)(std::shared_ptr<Locker>&)) {
    auto locker = make();
    body(locker);
  };
  return add_contract<std::shared_ptr<Locker>>("locker_contract_" + name, tests, run_one, __FILE__);
}

}  // namespace testing

TUS_NAMESPACE_END
