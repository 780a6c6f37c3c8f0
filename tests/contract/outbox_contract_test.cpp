// Deliveries over every outbox that several processes can share.
#include "hooks/common/deliveries.h"
#include "hooks/outbox/outbox_test_kit.h"
#include "outbox_places.h"

#include <tus/testing/fake_lease.h>
#include <tus/testing/fake_part_store.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>

namespace tus::hooks {
namespace {

using namespace std::chrono_literals;

using Lines = std::vector<std::string>;

class Shared : public ::testing::TestWithParam<MakePlace> {
 protected:
  std::unique_ptr<Outbox> open(std::shared_ptr<Clock> clock = std::make_shared<SystemClock>()) {
    return place_->open(std::move(clock));
  }
  OutboxPlace& place() { return *place_; }
  std::size_t records() { return place_->records(); }

 private:
  std::unique_ptr<OutboxPlace> place_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Places, Shared, ::testing::ValuesIn(all_places()),
                         [](const auto& info) { return std::string(info.param.name); });

std::unique_ptr<Upload> create(Store& store, std::string_view id, Post& post) {
  testing::FakeLease lease;
  UploadDraft draft;
  draft.id = *UploadId::parse(id);
  draft.length = 3;
  return post.run(store.create(std::move(draft), lease, {}, Deadline::never())).value();
}

TEST_P(Shared, ACloseDeliversWhatHasHappened) {  // [HOOK-37]
  Post post(open());
  post.transport.gate = std::make_shared<Event>();
  for (int i = 0; i < 100; ++i) post.tell(HookEvent::post_create, std::to_string(i));
  post.transport.gate->set();
  post.close(10s);
  EXPECT_EQ(post.transport.taken().size(), 100u);
  EXPECT_EQ(records(), 0u);
}

TEST_P(Shared, WhatIsNotDeliveredIsDeliveredByTheNextProcess) {  // [HOOK-38]
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

TEST_P(Shared, WhatWasPromisedIsToldIfItHappened) {  // [HOOK-39]
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

TEST_P(Shared, NothingIsToldOnSuspicionSoon) {  // [HOOK-39]
  const auto bucket = std::make_shared<testing::FakeBucket>();
  const auto store = testing::make_fake_part_store(bucket);
  {
    Post dead(open());
    (void)create(*store, "a", dead);
    dead.promise(HookEvent::post_create, "a");
    dead.promise(HookEvent::post_finish, "a");
  }
  bucket->fail_next(5);
  Post next(open(), Post::quick(), store);
  next->start();
  ASSERT_TRUE(next.transport.wait_for(1));
  next.close(10s);
  EXPECT_EQ(next.transport.taken(), (Lines{"post-create a"}));
  EXPECT_EQ(records(), 0u);
}

TEST_P(Shared, WhatAnotherProcessHasRemovedHasBeenThere) {  // [HOOK-54]
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

TEST_P(Shared, WhatWaitsBehindAFailureIsKnownToHaveHappened) {  // [HOOK-54]
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

TEST_P(Shared, WhereNobodyHearsOfTerminationsWhatIsToldIsMarked) {  // [HOOK-54]
  auto options = Post::quick();
  options.mark_before_telling = true;
  Post post(open(), options);
  post.transport.gate = std::make_shared<Event>();
  post.tell(HookEvent::post_finish, "a");
  while (place().marked() == 0) std::this_thread::yield();
  EXPECT_TRUE(post.transport.taken().empty());
  post.transport.gate->set();
  EXPECT_TRUE(post.transport.wait_for(1));
  post.close(10s);
  EXPECT_EQ(records(), 0u);
}

TEST_P(Shared, TheOrderHoldsBetweenProcesses) {  // [HOOK-48]
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

// Cannot remove anything while it is told so, and says whose turn it is if it is told that.
class StubbornOutbox final : public Outbox {
 public:
  explicit StubbornOutbox(std::unique_ptr<Outbox> inner) : inner_(std::move(inner)) {}

  std::atomic<bool> refuses = true;
  std::atomic<int> refused = 0;
  std::optional<Turn> turn;  // set before

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
    if (turn) co_return *turn;
    co_return co_await inner_->turn_of(std::move(entry));
  }
  Awaitable<Result<bool>> is_ended_later(OutboxEntry entry) override {
    return inner_->is_ended_later(std::move(entry));
  }
  Awaitable<Result<std::size_t>> buried() override { return inner_->buried(); }
  Awaitable<void> close(Deadline deadline) override { return inner_->close(deadline); }

 private:
  std::unique_ptr<Outbox> inner_;
};

TEST_P(Shared, WhatCannotBeRemovedIsInNobodysWayForEver) {  // [HOOK-53]
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

TEST_P(Shared, WhatAnotherProcessHasTakenIsItsBusiness) {  // [HOOK-66]
  auto outbox = std::make_unique<StubbornOutbox>(open());
  outbox->turn = Turn::lost;
  Post post(std::move(outbox));
  post->start();
  post.tell(HookEvent::post_create, "a");
  post.tell(HookEvent::post_finish, "a");
  EXPECT_TRUE(post.wait_until_waiting(0));
  EXPECT_TRUE(post.transport.ids().empty());
  EXPECT_EQ(records(), 2u);
}

// Whoever took it over asked the store before the change was made.
TEST_P(Shared, WhatHasHappenedAndNobodyHasIsToldAgain) {  // [HOOK-66]
  auto outbox = std::make_unique<StubbornOutbox>(open());
  outbox->turn = Turn::unrecorded;
  outbox->refuses = false;
  Post post(std::move(outbox));
  post->start();
  post.transport.answer = [n = 0](const Envelope&) mutable -> Result<TransportReply> {
    if (n++ == 0) return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  const auto envelope = told(HookEvent::post_finish, "a");
  post->happened(post.run(post->promise(envelope)).value());
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_EQ(post.transport.ids(), (Lines{envelope.event_id, envelope.event_id}));
  EXPECT_TRUE(post.wait_until_waiting(0)) << "and counted once";
}

TEST_P(Shared, MemoryIsBoundedAndNothingIsForgotten) {  // [HOOK-49]
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

TEST_P(Shared, WhatCannotBeDeliveredIsGivenUpAndComesBack) {  // [HOOK-46]
  Post post(open());
  post.transport.works = false;
  post->start();
  post.tell(HookEvent::post_finish, "a");
  post.clock->advance(25h);
  while (place().dead().empty()) std::this_thread::yield();
  EXPECT_TRUE(post.wait_until_waiting(0));
  EXPECT_EQ(post.metrics.numbers().hooks_given_up, std::vector{HookEvent::post_finish});
  post.transport.works = true;
  for (const auto& entry : place().dead()) ASSERT_TRUE(place().replay(entry, post.clock->wall()));
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_EQ(post.transport.taken(), Lines{"post-finish a"});
}

TEST_P(Shared, AClockThatIsSetForwardGivesNothingUp) {  // [HOOK-55]
  auto options = Post::quick();
  options.try_at_least = 1h;
  Post post(open(), options);
  post.transport.works = false;
  post->start();
  post.tell(HookEvent::post_finish, "a");
  post.clock->advance(24h * 365);
  post.transport.wait_for_calls(5);
  EXPECT_TRUE(place().dead().empty());
  post.transport.works = true;
  ASSERT_TRUE(post.transport.wait_for(1));
}

TEST_P(Shared, AClockThatIsSetBackKeepsTheOrder) {  // [HOOK-55] [HOOK-56]
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

TEST_P(Shared, ACreationIsToldWithItsPlace) {  // [HOOK-4]
  Post post(open());
  (void)create(*post.store, "a", post);
  post.tell(HookEvent::post_create, "a");
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_NE(post.transport.bodies()[0].find("\"Storage\":{"), std::string::npos)
      << post.transport.bodies()[0];
}

}  // namespace
}  // namespace tus::hooks
