#include "lockers/file/file_locker.h"

#include "lockers/file/locker_test_kit.h"

#include <tus/runtime.h>
#include <tus/testing/coro_test.h>
#include <tus/testing/fake_lease.h>
#include <tus/testing/inline_pool.h>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace tus::file_locker {
namespace {

using namespace std::chrono_literals;
using testing::FakeHolder;
using testing::run;
using testing::run_on_threads;
using testing::TestLoop;
using Answer = LeaseHolder::Answer;
using LeaseResult = Result<std::unique_ptr<Lease>>;

// Remembers the words that were logged.
class Words final : public Logger {
 public:
  bool enabled(LogLevel) const noexcept override { return true; }
  void log(LogLevel, std::string_view event, std::initializer_list<LogField>) noexcept override {
    const std::lock_guard lock(mutex_);
    all_.append(event).append(" ");
  }
  bool has(std::string_view word) {
    const std::lock_guard lock(mutex_);
    return all_.find(word) != all_.npos;
  }

 private:
  std::mutex mutex_;
  std::string all_;
};

// Gives its lease back when it is asked to, and lets a test wait for what it hears.
class Willing final : public LeaseHolder {
 public:
  Answer release_requested() noexcept override {
    const std::lock_guard lock(mutex_);
    asked_ = true;
    lease_.reset();
    heard_.notify_all();
    return Answer::releasing;
  }
  void lease_lost() noexcept override {
    const std::lock_guard lock(mutex_);
    lost_ = true;
    heard_.notify_all();
  }
  void have(std::unique_ptr<Lease> lease) {
    const std::lock_guard lock(mutex_);
    lease_ = std::move(lease);
    if (asked_) lease_.reset();
  }
  bool waits_for_a_request() { return wait(asked_); }
  bool waits_for_the_loss() { return wait(lost_); }
  bool was_asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  bool wait(const bool& what) {
    std::unique_lock lock(mutex_);
    return heard_.wait_for(lock, 30s, [&] { return what; });
  }
  std::mutex mutex_;
  std::condition_variable heard_;
  bool asked_ = false;
  bool lost_ = false;
  std::unique_ptr<Lease> lease_;
};

class FileLockerTest : public ::testing::Test {
 protected:
  // One more server on the directory.
  std::shared_ptr<FileLocker> server(
      std::shared_ptr<FakeCalls> calls = std::make_shared<FakeCalls>(),
      std::chrono::milliseconds holder_poll = 1h) {
    FileLockerOptions options;
    options.directory = directory_.path();
    options.holder_poll = holder_poll;
    auto made =
        make(std::move(options), std::move(calls), std::make_shared<testing::InlinePool>(), words_);
    if (!made) throw std::runtime_error(made.error().detail());
    return *made;
  }

  static std::unique_ptr<Lease> take(Locker& locker, std::shared_ptr<LeaseHolder> holder,
                                     std::string_view id = "a") {
    auto lease = run(locker.acquire(id_of(id), Deadline::never(), std::move(holder)));
    EXPECT_TRUE(lease) << (lease ? "" : lease.error().detail());
    return lease ? *std::move(lease) : nullptr;
  }
  static std::unique_ptr<Lease> take(Locker& locker) {
    return take(locker, std::make_shared<FakeHolder>());
  }

  // Whether `taker` gets the upload that `owner` holds, because its holder is asked.
  void expect_take_over(Locker& owner, Locker& taker) {
    auto holder = std::make_shared<Willing>();
    holder->have(take(owner, holder));
    const auto begun = std::chrono::steady_clock::now();
    auto lease = take(taker);
    EXPECT_TRUE(lease);
    EXPECT_TRUE(holder->was_asked());
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s) << "nothing here is for ever";
  }

  LockDirectory directory_;
  std::shared_ptr<Words> words_ = std::make_shared<Words>();
};

// The owner looks for requests once an hour, so it has heard the bell.  [LOCK-18]
TEST_F(FileLockerTest, TakesOverFromAnotherServer) {
  const auto one = server();
  const auto other = server();
  expect_take_over(*one, *other);
  expect_take_over(*other, *one);
  EXPECT_FALSE(directory_.has("a.lock"));
  EXPECT_FALSE(directory_.has("a.stop"));
  EXPECT_FALSE(words_->has("LocksArePolled"));
}

// [LOCK-18]
TEST_F(FileLockerTest, TakesOverByPollingWhereThereIsNoInotify) {
  auto poor = std::make_shared<FakeCalls>();
  poor->without_inotify();
  const auto one = server(poor, 1ms);
  const auto other = server(poor, 1ms);
  expect_take_over(*one, *other);
  EXPECT_TRUE(words_->has("LocksArePolled"));
}

// [LOCK-18]
TEST_F(FileLockerTest, ReleasesForAGoProcessThatAsks) {
  const auto us = server(std::make_shared<FakeCalls>(), 1ms);
  auto holder = std::make_shared<Willing>();
  holder->have(take(*us, holder));
  directory_.write("a.stop", "");
  EXPECT_TRUE(holder->waits_for_a_request());
  EXPECT_FALSE(directory_.has("a.lock"));
  EXPECT_FALSE(directory_.has("a.stop"));
}

// Left by somebody who waited for an earlier lock and was killed.  [LOCK-18]
TEST_F(FileLockerTest, DoesNotReleaseForAnOldRequest) {
  const auto us = server(std::make_shared<FakeCalls>(), 1ms);
  directory_.write("a.stop", "");
  std::filesystem::last_write_time(directory_.path("a.stop"),
                                   std::filesystem::file_time_type::clock::now() - 1h);
  auto old = std::make_shared<Willing>();
  old->have(take(*us, old, "a"));
  // Its turn comes after that of the first: locks are looked at in the order in which they were made.
  for (const auto* id : {"b", "c"}) {
    auto other = std::make_shared<Willing>();
    other->have(take(*us, other, id));
    directory_.write(std::string(id) + ".stop", "");
    EXPECT_TRUE(other->waits_for_a_request());
  }
  EXPECT_FALSE(old->was_asked());
  // But it counts when somebody makes it anew, even by a clock that is behind.
  std::filesystem::last_write_time(directory_.path("a.stop"),
                                   std::filesystem::file_time_type::clock::now() - 30min);
  EXPECT_TRUE(old->waits_for_a_request());
}

// [LOCK-20]
TEST_F(FileLockerTest, LosesALockThatSomebodyTakesAway) {
  const auto us = server(std::make_shared<FakeCalls>(), 1ms);
  auto holder = std::make_shared<Willing>();
  const auto lease = take(*us, holder);
  EXPECT_FALSE(lease->lost());
  directory_.write("other", "1\n");
  std::filesystem::rename(directory_.path("other"), directory_.path("a.lock"));
  EXPECT_TRUE(holder->waits_for_the_loss());
  EXPECT_TRUE(lease->lost());
}

// [LOCK-20]
TEST_F(FileLockerTest, DoesNotInheritALostLock) {
  const auto us = server(std::make_shared<FakeCalls>(), 1ms);
  auto holder = std::make_shared<Willing>();
  auto lease = take(*us, holder);
  std::filesystem::remove(directory_.path("a.lock"));
  EXPECT_TRUE(holder->waits_for_the_loss());
  LeaseResult next = fail(ErrorCode::internal);
  TestLoop loop;
  loop.spawn([](Locker& locker, LeaseResult& result) -> Awaitable<void> {
    result = co_await locker.acquire(id_of("a"), Deadline::never(), std::make_shared<FakeHolder>());
  }(*us, next));
  loop.run_until_idle();
  lease.reset();
  loop.run();
  ASSERT_TRUE(next);
  EXPECT_FALSE((*next)->lost());
  EXPECT_TRUE(directory_.has("a.lock"));
}

// [LOCK-18]
TEST_F(FileLockerTest, WaitsAtMostUntilItsDeadline) {
  const auto one = server();
  const auto other = server();
  const auto busy = std::make_shared<FakeHolder>(Answer::busy);
  const auto lease = take(*one, busy);
  const auto soon = Deadline::after(std::chrono::steady_clock::now(), 60ms);
  auto refused = run(other->acquire(id_of("a"), soon, std::make_shared<FakeHolder>()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::lock_timeout);
  EXPECT_FALSE(directory_.has("a.stop"));
  EXPECT_TRUE(*run(other->is_held(id_of("a"))));
  EXPECT_FALSE(lease->lost());
}

// Waits for a lock whose owner dies instead of releasing it.  [LOCK-15]
TEST_F(FileLockerTest, TakesOverFromOneThatDiesMeanwhile) {
  const auto us = server();
  OtherProcess go;
  directory_.write("a.lock", std::to_string(go.pid()) + "\n");
  LeaseResult result = fail(ErrorCode::internal);
  TestLoop loop;
  loop.spawn([](Locker& locker, LeaseResult& to) -> Awaitable<void> {
    to = co_await locker.acquire(id_of("a"), Deadline::never(), std::make_shared<FakeHolder>());
  }(*us, result));
  while (!directory_.has("a.stop")) loop.run_until_idle();
  go.kill();
  loop.run();
  EXPECT_TRUE(result);
  EXPECT_FALSE(directory_.has("a.stop"));
}

// Who waits inside this process gets the lock without a look at the disk.  [LOCK-13]
TEST_F(FileLockerTest, PassesTheLockFileOn) {
  const auto us = server();
  auto holder = std::make_shared<FakeHolder>();
  auto lease = take(*us, holder);
  LeaseResult next = fail(ErrorCode::internal);
  TestLoop loop;
  loop.spawn([](Locker& locker, LeaseResult& result) -> Awaitable<void> {
    result = co_await locker.acquire(id_of("a"), Deadline::never(), std::make_shared<FakeHolder>());
  }(*us, next));
  loop.run_until_idle();
  EXPECT_EQ(holder->requests(), 1);
  // It would be missed if it were made or removed again.
  std::filesystem::permissions(directory_.path("a.lock"), std::filesystem::perms::owner_read);
  const auto before = std::filesystem::last_write_time(directory_.path());
  lease.reset();
  loop.run();
  ASSERT_TRUE(next);
  EXPECT_EQ(std::filesystem::last_write_time(directory_.path()), before);
  EXPECT_GT((*next)->token(), 0u);
  next = fail(ErrorCode::internal);
  EXPECT_FALSE(directory_.has("a.lock"));
}

// [LOCK-17]
TEST_F(FileLockerTest, SaysThatItIsForOneServerOnly) {
  auto poor = std::make_shared<FakeCalls>();
  poor->without_links();
  const auto us = server(poor);
  EXPECT_TRUE(words_->has("LocksForOneServerOnly"));
  auto lease = take(*us);
  EXPECT_TRUE(directory_.has("a.lock"));
  lease.reset();
  EXPECT_FALSE(directory_.has("a.lock"));
}

TEST_F(FileLockerTest, ADirectoryThatIsNotThereIsASentence) {
  FileLockerOptions options;
  options.directory = directory_.path("nothing");
  const auto made = make_file_locker(options, std::make_shared<testing::InlinePool>(), words_);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().detail().find("nothing: No such file"), std::string::npos);
}

struct Guarded {
  std::atomic<int> inside{0};
  std::atomic<int> count{0};
};

Awaitable<void> count_up(FileLocker& locker, Guarded& guarded, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    auto lease =
        co_await locker.acquire(id_of("a"), Deadline::never(), std::make_shared<FakeHolder>());
    EXPECT_TRUE(lease);
    if (!lease) co_return;
    EXPECT_EQ(guarded.inside.fetch_add(1), 0);
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    guarded.inside.fetch_sub(1);
    ++guarded.count;
  }
}

// Four threads of two servers.  [LOCK-13]
TEST_F(FileLockerTest, LetsOneInAtATimeAcrossServers) {
  const std::array servers{server(), server()};
  Guarded guarded;
  run_on_threads(4, [&](int thread) {
    return count_up(*servers[static_cast<std::size_t>(thread % 2)], guarded, 50);
  });
  EXPECT_EQ(guarded.count, 200);
  EXPECT_FALSE(directory_.has("a.lock"));
  EXPECT_FALSE(directory_.has("a.stop"));
}

// The same while locks of the dead are in the way of everybody at once.  [LOCK-15]
TEST_F(FileLockerTest, LetsOneInWhenAllFindTheSameStaleLock) {
  const std::array servers{server(), server()};
  for (int round = 0; round < 30; ++round) {
    directory_.write("a.lock", round % 2 == 0 ? "" : "999999999\n");
    Guarded guarded;
    run_on_threads(4, [&](int thread) {
      return count_up(*servers[static_cast<std::size_t>(thread % 2)], guarded, 2);
    });
    EXPECT_EQ(guarded.count, 8);
  }
}

TEST(NoLocker, GrantsEverything) {
  const auto locker = make_no_locker();
  auto first = run(locker->acquire(id_of("a"), Deadline::never(), std::make_shared<FakeHolder>()));
  auto second = run(locker->acquire(id_of("a"), Deadline::never(), std::make_shared<FakeHolder>()));
  ASSERT_TRUE(first && second);
  EXPECT_GT((*second)->token(), (*first)->token());
  EXPECT_FALSE(*run(locker->is_held(id_of("a"))));
}

}  // namespace
}  // namespace tus::file_locker
