#include "hooks/common/deliveries.h"

#include "hooks/common/record_name.h"
#include "hooks/outbox/outbox_test_kit.h"

#include <tus/testing/fake_lease.h>
#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <map>
#include <random>
#include <set>

namespace tus::hooks {
namespace {

using namespace std::chrono_literals;

using Lines = std::vector<std::string>;

std::unique_ptr<Outbox> in_memory() {
  return make_memory_outbox(std::make_shared<SystemClock>(), 1'000);
}

class InFiles : public ::testing::Test {
 protected:
  std::unique_ptr<Outbox> open(std::shared_ptr<Clock> clock = std::make_shared<SystemClock>()) {
    return make_file_outbox(path(), OutboxSafety::unsynced, pool_, std::move(clock)).value();
  }
  std::string path() const { return (directory_.path() / "outbox").string(); }
  // Files of records, wherever they are.
  std::size_t records() const {
    std::size_t count = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(path())) {
      count += file.is_regular_file() && file.path().filename() != "lock";
    }
    return count;
  }

 private:
  testing::TemporaryDirectory directory_;
  std::shared_ptr<BlockingPool> pool_ = make_blocking_pool(2);
};

std::unique_ptr<Upload> create(Store& store, std::string_view id, Post& post) {
  testing::FakeLease lease;
  UploadDraft draft;
  draft.id = *UploadId::parse(id);
  draft.length = 3;
  return post.run(store.create(std::move(draft), lease, {}, Deadline::never())).value();
}

TEST(Deliveries, DeliverWhatHasHappened) {  // [HOOK-30]
  Post post(in_memory());
  post.tell(HookEvent::post_create, "a");
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_EQ(post.transport.taken(), Lines{"post-create a"});
}

TEST(Deliveries, NothingIsToldThatHasNotHappened) {  // [HOOK-31]
  Post post(in_memory());
  const auto promised = post.promise(HookEvent::post_create, "a");
  const auto withdrawn = post.promise(HookEvent::post_create, "b");
  post->withdraw(withdrawn);
  post.tell(HookEvent::post_create, "c");
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_EQ(post.transport.taken(), Lines{"post-create c"});
  post->happened(promised);
  ASSERT_TRUE(post.transport.wait_for(2));
  EXPECT_EQ(post.transport.taken().back(), "post-create a");
}

TEST(Deliveries, KeepTheOrderOfAnUploadWhateverFails) {  // [HOOK-32]
  Post post(in_memory());
  post->start();
  std::mt19937 random(1);
  post.transport.answer = [&random](const Envelope&) -> Result<TransportReply> {
    if (random() % 3 == 0) return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  for (int i = 0; i < 50; ++i) {
    const auto id = std::to_string(i);
    for (auto event : {HookEvent::post_create, HookEvent::post_finish, HookEvent::post_terminate}) {
      post.tell(event, id);
    }
  }
  ASSERT_TRUE(post.transport.wait_for(150));
  std::map<std::string, Lines> by_upload;
  for (const auto& line : post.transport.taken()) {
    const auto space = line.find(' ');
    by_upload[line.substr(space + 1)].push_back(line.substr(0, space));
  }
  ASSERT_EQ(by_upload.size(), 50u);
  for (const auto& [id, events] : by_upload) {
    EXPECT_EQ(events, (Lines{"post-create", "post-finish", "post-terminate"})) << id;
  }
}

TEST(Deliveries, RepetitionsHaveTheSameId) {  // [HOOK-33]
  Post post(in_memory());
  post->start();
  post.transport.answer = [n = 0](const Envelope&) mutable -> Result<TransportReply> {
    if (++n < 4) return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  post.tell(HookEvent::post_finish, "a");
  ASSERT_TRUE(post.transport.wait_for(1));
  const auto ids = post.transport.ids();
  ASSERT_EQ(ids.size(), 4u);
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 1u);
}

TEST(Deliveries, OneThatHangsKeepsNoOther) {  // [HOOK-34]
  auto options = Post::quick();
  options.at_once = 2;
  options.call_timeout = 50ms;
  Post post(in_memory(), options);
  post->start();
  post.transport.answer = [](const Envelope& envelope) -> Result<TransportReply> {
    if (envelope.upload_id == "bad") return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  post.tell(HookEvent::post_create, "bad");
  post.tell(HookEvent::post_finish, "bad");
  for (int i = 0; i < 20; ++i) post.tell(HookEvent::post_create, std::to_string(i));
  ASSERT_TRUE(post.transport.wait_for(20));
  EXPECT_TRUE(post.wait_until_waiting(2));
}

TEST(Deliveries, AreCountedUntilTheyAreTaken) {  // [HOOK-50]
  Post post(in_memory());
  post.transport.gate = std::make_shared<Event>();
  EXPECT_EQ(post->figures().waiting, 0u);
  EXPECT_EQ(post->figures().oldest_age, 0ms);
  const auto promised = post.promise(HookEvent::post_create, "a");
  EXPECT_EQ(post->figures().waiting, 0u) << "it has not happened";
  post->happened(promised);
  post.clock->advance(1min);
  post.tell(HookEvent::post_create, "b");
  EXPECT_EQ(post->figures().waiting, 2u);
  EXPECT_GE(post->figures().oldest_age, 1min);
  EXPECT_LT(post->figures().oldest_age, 2min);
  post.clock->advance(-1h);
  EXPECT_EQ(post->figures().oldest_age, 0ms) << "whatever the clock says";
  post.transport.gate->set();
  EXPECT_TRUE(post.wait_until_waiting(0));
  EXPECT_EQ(post->figures().oldest_age, 0ms);
}

TEST(Deliveries, EachCallIsMeasured) {  // [HOOK-51]
  Post post(in_memory());
  post->start();
  post.transport.answer = [n = 0](const Envelope&) mutable -> Result<TransportReply> {
    if (n++ == 0) return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  post.tell(HookEvent::post_finish, "a");
  EXPECT_TRUE(post.transport.wait_for(1));
  EXPECT_TRUE(post.wait_until_waiting(0));
  const auto calls = post.metrics.numbers().hook_calls;
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].event, HookEvent::post_finish);
  EXPECT_EQ(calls[0].outcome, HookOutcome::failed);
  EXPECT_EQ(calls[1].outcome, HookOutcome::good);
  EXPECT_EQ(calls[1].transport, HookTransport::http);
}

TEST(Deliveries, OnlyTheNewestProgressCounts) {  // [HOOK-35]
  Post post(in_memory());
  post.transport.gate = std::make_shared<Event>();
  post.tell(HookEvent::post_create, "a");
  for (int i = 1; i <= 5; ++i) {
    auto envelope = told(HookEvent::post_receive, "a");
    envelope.body = std::to_string(i);
    post->progressed(std::move(envelope), [](std::optional<Response>) {});
  }
  post.tell(HookEvent::post_finish, "a");
  post.transport.gate->set();
  ASSERT_TRUE(post.transport.wait_for(3));
  EXPECT_EQ(post.transport.taken(), (Lines{"post-create a", "post-receive a", "post-finish a"}));
  EXPECT_EQ(post.transport.bodies()[1], "5");
}

TEST(Deliveries, AHookMayStopAnUpload) {  // [HOOK-36]
  Post post(in_memory());
  post.transport.answer = [](const Envelope&) -> Result<TransportReply> {
    TransportReply reply;
    reply.body = R"({"StopUpload":true,"HTTPResponse":{"StatusCode":409}})";
    return reply;
  };
  std::promise<int> stopped;
  post->progressed(told(HookEvent::post_receive, "a"),
                   [&stopped](std::optional<Response> response) {
                     stopped.set_value(response ? response->status : -1);
                   });
  auto status = stopped.get_future();
  ASSERT_EQ(status.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(status.get(), 409);
}

TEST(Deliveries, FailedProgressIsNotTriedAgain) {  // [HOOK-35]
  Post post(in_memory());
  post.transport.answer = [](const Envelope& envelope) -> Result<TransportReply> {
    if (envelope.event == HookEvent::post_receive)
      return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  post->progressed(told(HookEvent::post_receive, "a"), [](std::optional<Response>) {});
  post.tell(HookEvent::post_finish, "a");
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_EQ(post.transport.taken(), Lines{"post-finish a"});
  EXPECT_EQ(post.transport.ids().size(), 2u);
}

TEST_F(InFiles, ACloseDeliversWhatHasHappened) {  // [HOOK-37]
  Post post(open());
  post.transport.gate = std::make_shared<Event>();
  for (int i = 0; i < 100; ++i) post.tell(HookEvent::post_create, std::to_string(i));
  post.transport.gate->set();
  post.close(10s);
  EXPECT_EQ(post.transport.taken().size(), 100u);
  EXPECT_EQ(records(), 0u);
}

TEST_F(InFiles, WhatIsNotDeliveredIsDeliveredByTheNextProcess) {  // [HOOK-38]
  {
    Post dead(open());
    dead.transport.works = false;
    for (auto event : {HookEvent::post_create, HookEvent::post_finish, HookEvent::post_terminate}) {
      dead.tell(event, "a");
    }
    dead.transport.wait_for_calls(1);
  }
  EXPECT_EQ(records(), 3u);
  Post next(open());
  next->start();
  ASSERT_TRUE(next.transport.wait_for(3));
  EXPECT_EQ(next.transport.taken(), (Lines{"post-create a", "post-finish a", "post-terminate a"}));
  next.close(10s);
  EXPECT_EQ(records(), 0u);
}

TEST_F(InFiles, WhatWasPromisedIsToldIfItHappened) {  // [HOOK-39]
  const auto store = std::shared_ptr<Store>(make_memory_store());
  {
    Post dead(open());
    (void)create(*store, "there", dead);
    dead.promise(HookEvent::post_create, "there");
    dead.promise(HookEvent::post_create, "not-there");
    dead.promise(HookEvent::post_finish, "there");     // it is not finished
    dead.promise(HookEvent::post_terminate, "there");  // it is not gone
    dead.promise(HookEvent::post_terminate, "gone");
    dead.promise(HookEvent::post_create, "was-here");
    dead.promise(HookEvent::post_terminate, "was-here");
  }
  EXPECT_EQ(records(), 7u);
  Post next(open(), Post::quick(), store);
  next->start();
  ASSERT_TRUE(next.transport.wait_for(4));
  next.close(10s);
  auto taken = next.transport.taken();
  std::ranges::sort(taken);
  EXPECT_EQ(taken, (Lines{"post-create there", "post-create was-here", "post-terminate gone",
                          "post-terminate was-here"}));
  EXPECT_EQ(records(), 0u);
}

TEST_F(InFiles, WhatAnotherProcessHasRemovedHasBeenThere) {  // [HOOK-54]
  Post living(open());
  living.transport.works = false;
  {
    Post dead(open());
    dead.promise(HookEvent::post_create, "a");
    dead.promise(HookEvent::post_finish, "a");
    dead.promise(HookEvent::post_create, "b");
    living.tell(HookEvent::post_terminate, "a");  // its upload is gone by now
  }
  living->start();
  EXPECT_TRUE(living.wait_until_waiting(3));
  living.transport.works = true;
  ASSERT_TRUE(living.transport.wait_for(3));
  EXPECT_EQ(living.transport.taken(),
            (Lines{"post-create a", "post-finish a", "post-terminate a"}));
  living.close(10s);
  EXPECT_EQ(records(), 0u);
}

TEST_F(InFiles, WhatWaitsBehindAFailureIsKnownToHaveHappened) {  // [HOOK-54]
  {
    Post dead(open());
    dead.transport.works = false;
    dead.transport.gate = std::make_shared<Event>();
    dead.tell(HookEvent::post_create, "a");
    dead.tell(HookEvent::post_finish, "a");
    dead.transport.gate->set();
    dead.transport.wait_for_calls(1);
    dead.close(10s);
  }
  Post next(open());  // in its store there is no such upload
  next->start();
  ASSERT_TRUE(next.transport.wait_for(2));
  EXPECT_EQ(next.transport.taken(), (Lines{"post-create a", "post-finish a"}));
}

TEST_F(InFiles, WhereNobodyHearsOfTerminationsWhatIsToldIsMarked) {  // [HOOK-54]
  auto options = Post::quick();
  options.mark_before_telling = true;
  Post post(open(), options);
  post.transport.gate = std::make_shared<Event>();
  post.tell(HookEvent::post_finish, "a");
  const auto is_marked_now = [this] {
    for (const auto& file : std::filesystem::recursive_directory_iterator(path())) {
      const auto entry = entry_named(file.path().filename().string());
      if (entry && entry->has_happened) return true;
    }
    return false;
  };
  while (!is_marked_now()) std::this_thread::yield();
  EXPECT_TRUE(post.transport.taken().empty());
  post.transport.gate->set();
  EXPECT_TRUE(post.transport.wait_for(1));
  post.close(10s);
  EXPECT_EQ(records(), 0u);
}

TEST_F(InFiles, TheOrderHoldsBetweenProcesses) {  // [HOOK-48]
  Post one(open());
  Post two(open());
  one.transport.works = false;
  one->start();
  two->start();
  one.tell(HookEvent::post_create, "a");
  two.tell(HookEvent::post_finish, "a");
  two.tell(HookEvent::post_create, "b");
  ASSERT_TRUE(two.transport.wait_for(1));
  EXPECT_EQ(two.transport.taken(), Lines{"post-create b"});
  one.transport.works = true;
  ASSERT_TRUE(one.transport.wait_for(1));
  ASSERT_TRUE(two.transport.wait_for(2));
  EXPECT_EQ(two.transport.taken().back(), "post-finish a");
}

// Cannot remove anything while it is told so.
class StubbornOutbox final : public Outbox {
 public:
  explicit StubbornOutbox(std::unique_ptr<Outbox> inner) : inner_(std::move(inner)) {}

  std::atomic<bool> refuses = true;
  std::atomic<int> refused = 0;

  Awaitable<Result<OutboxEntry>> put(Envelope envelope) override {
    return inner_->put(std::move(envelope));
  }
  Awaitable<Result<Envelope>> get(OutboxEntry entry) override {
    return inner_->get(std::move(entry));
  }
  Awaitable<Result<OutboxEntry>> mark_happened(OutboxEntry entry) override {
    return inner_->mark_happened(std::move(entry));
  }
  Awaitable<Status> remove(OutboxEntry entry) override {
    if (!refuses) co_return co_await inner_->remove(std::move(entry));
    ++refused;
    co_return fail(ErrorCode::store_unavailable, "told to refuse");
  }
  Awaitable<Status> bury(OutboxEntry entry) override { return inner_->bury(std::move(entry)); }
  Awaitable<Result<std::vector<OutboxEntry>>> left_behind(std::size_t most) override {
    return inner_->left_behind(most);
  }
  Awaitable<Result<std::vector<OutboxEntry>>> waiting(std::size_t most) override {
    return inner_->waiting(most);
  }
  Awaitable<Result<Turn>> turn_of(OutboxEntry entry) override {
    return inner_->turn_of(std::move(entry));
  }
  Awaitable<Result<bool>> is_ended_later(OutboxEntry entry) override {
    return inner_->is_ended_later(std::move(entry));
  }
  Awaitable<Result<std::size_t>> buried() override { return inner_->buried(); }
  Awaitable<void> close(Deadline deadline) override { return inner_->close(deadline); }

 private:
  std::unique_ptr<Outbox> inner_;
};

TEST_F(InFiles, WhatCannotBeRemovedIsInNobodysWayForEver) {  // [HOOK-53]
  auto outbox = std::make_unique<StubbornOutbox>(open());
  auto& stubborn = *outbox;
  Post one(std::move(outbox));
  Post two(open());
  one->start();
  two->start();
  one->withdraw(one.promise(HookEvent::post_create, "a"));
  one.tell(HookEvent::post_create, "b");
  ASSERT_TRUE(one.transport.wait_for(1));
  two.tell(HookEvent::post_finish, "a");
  two.tell(HookEvent::post_finish, "b");
  while (stubborn.refused < 4) std::this_thread::yield();
  EXPECT_TRUE(two.transport.taken().empty()) << "as far as it knows, the first ones are to be told";
  stubborn.refuses = false;
  ASSERT_TRUE(two.transport.wait_for(2));
  EXPECT_EQ(one.transport.taken(), Lines{"post-create b"}) << "once";
  one.close(10s);
  two.close(10s);
  EXPECT_EQ(records(), 0u);
}

TEST_F(InFiles, MemoryIsBoundedAndNothingIsForgotten) {  // [HOOK-49]
  auto options = Post::quick();
  options.most_in_memory = 10;
  Post post(open(), options);
  post.transport.works = false;
  post->start();
  for (int i = 0; i < 100; ++i) {
    post.tell(HookEvent::post_create, std::to_string(i % 25));
    post.tell(HookEvent::post_finish, std::to_string(i % 25));
  }
  EXPECT_EQ(post->figures().waiting, 200u);
  EXPECT_EQ(records(), 200u);
  post.transport.works = true;
  ASSERT_TRUE(post.transport.wait_for(200));
  std::map<std::string, std::string> last;
  for (const auto& line : post.transport.taken()) {
    const auto id = line.substr(line.find(' ') + 1);
    const auto event = line.substr(0, line.find(' '));
    EXPECT_NE(last[id], event) << "out of order: " << id;
    last[id] = event;
  }
  EXPECT_TRUE(post.wait_until_waiting(0));
  post.close(10s);
  EXPECT_EQ(records(), 0u);
}

TEST_F(InFiles, WhatCannotBeDeliveredIsGivenUpAndComesBack) {  // [HOOK-46]
  Post post(open());
  post.transport.works = false;
  post->start();
  post.tell(HookEvent::post_finish, "a");
  post.clock->advance(25h);
  while (list_buried(path())->empty()) std::this_thread::yield();
  EXPECT_TRUE(post.wait_until_waiting(0));
  EXPECT_EQ(post.metrics.numbers().hooks_given_up, std::vector{HookEvent::post_finish});
  post.transport.works = true;
  for (const auto& entry : *list_buried(path())) {
    ASSERT_TRUE(replay_buried(path(), entry, post.clock->wall()));
  }
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_EQ(post.transport.taken(), Lines{"post-finish a"});
}

TEST_F(InFiles, AClockThatIsSetForwardGivesNothingUp) {  // [HOOK-55]
  auto options = Post::quick();
  options.try_at_least = 1h;
  Post post(open(), options);
  post.transport.works = false;
  post->start();
  post.tell(HookEvent::post_finish, "a");
  post.clock->advance(24h * 365);
  post.transport.wait_for_calls(5);
  EXPECT_TRUE(list_buried(path())->empty());
  post.transport.works = true;
  ASSERT_TRUE(post.transport.wait_for(1));
}

TEST_F(InFiles, AClockThatIsSetBackKeepsTheOrder) {  // [HOOK-55] [HOOK-56]
  const auto later = std::make_shared<testing::ShiftedClock>();
  later->advance(24h);
  {
    Post dead(open(later));
    dead.transport.works = false;
    dead.transport.gate = std::make_shared<Event>();
    dead.tell(HookEvent::post_create, "a");
    dead.tell(HookEvent::post_finish, "a");
    dead.transport.gate->set();
    dead.transport.wait_for_calls(1);
    dead.close(10s);
  }
  Post next(open());
  next.transport.gate = std::make_shared<Event>();
  next.tell(HookEvent::post_terminate, "a");
  next->start();
  next.transport.gate->set();
  ASSERT_TRUE(next.transport.wait_for(3));
  EXPECT_EQ(next.transport.taken(), (Lines{"post-create a", "post-finish a", "post-terminate a"}));
}

TEST_F(InFiles, ACreationIsToldWithItsPlace) {  // [HOOK-4]
  Post post(open());
  (void)create(*post.store, "a", post);
  post.tell(HookEvent::post_create, "a");
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_NE(post.transport.bodies()[0].find("\"Storage\":{"), std::string::npos)
      << post.transport.bodies()[0];
}

}  // namespace
}  // namespace tus::hooks
