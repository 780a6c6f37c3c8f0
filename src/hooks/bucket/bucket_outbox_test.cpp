#include "hooks/bucket/bucket_outbox_test_kit.h"
#include "hooks/common/record_name.h"

#include <tus/testing/coro_test.h>

#include <algorithm>

namespace tus::hooks {
namespace {

using namespace std::chrono_literals;
using enum HookEvent;
using s3::test::Fault;
using s3::test::Operation;

TEST(Keys, SayAllThatOrdersRecords) {  // [HOOK-60]
  const Keys keys("p/.tusd/outbox/");
  OutboxEntry entry;
  entry.line = line_of("abc");
  entry.event = post_terminate;
  entry.since = std::chrono::system_clock::time_point(std::chrono::nanoseconds(0x1234));
  entry.name = name_with_owner(record_name(entry, std::string(32, 'f')), "0123456789abcdef");
  const auto key = keys.record(entry);
  EXPECT_TRUE(key.starts_with(keys.line(entry.line))) << key;
  const auto found = keys.record_at(key);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->is_mark);
  EXPECT_EQ(found->entry.name, entry.name);
  EXPECT_EQ(found->entry.line, entry.line);
  EXPECT_EQ(found->entry.event, entry.event);
  EXPECT_EQ(found->entry.since, entry.since);
  EXPECT_EQ(owner_in(found->entry.name), "0123456789abcdef");
  EXPECT_EQ(keys.record(with_happened(entry)), key) << "marked or not, it is the same object";
  EXPECT_LT(key, keys.mark(entry));
  EXPECT_TRUE(keys.record_at(keys.mark(entry))->is_mark);
  for (std::size_t i = 0; i < key.size(); ++i) EXPECT_FALSE(keys.record_at(key.substr(0, i))) << i;
  EXPECT_FALSE(keys.record_at("x" + key));
  EXPECT_EQ(keys.dead_at(keys.dead(entry))->since, entry.since);
  EXPECT_EQ(keys.run_at(keys.run("0123456789abcdef")), "0123456789abcdef");
  EXPECT_FALSE(keys.run_at(keys.run("../0123456789abc")));
  EXPECT_EQ(holder_in(run_text("0123456789abcdef", "x")), "0123456789abcdef");
  for (std::string_view other : {"", " ", "0123456789abcdef", "0123 x"})
    EXPECT_FALSE(holder_in(other)) << other;
}

TEST_F(InBucket, RecordsStayUntilTheyAreRemoved) {  // [HOOK-42]
  auto one = start();
  const auto create = one->put(post_create, "a");
  const auto finish = one->put(post_finish, "a");
  EXPECT_EQ(names(run((**one).waiting(10)).value()), (Names{create.name, finish.name}));
  EXPECT_EQ(names(run((**one).waiting(1)).value()), Names{create.name});
  EXPECT_EQ(run((**one).get(finish)).value().event_name, "post-finish");
  const auto marked = run((**one).mark_happened(finish)).value();
  EXPECT_TRUE(run((**one).waiting(10)).value().back().has_happened);
  ASSERT_TRUE(one->remove(create));
  EXPECT_EQ(run((**one).get(create)).error(), ErrorCode::upload_not_found);
  ASSERT_TRUE(one->remove(create)) << "once more";
  ASSERT_TRUE(one->remove(marked));
  EXPECT_EQ(records(), 0u);
  one->stop();
  EXPECT_TRUE(bucket->keys().empty()) << bucket->keys()[0];
}

TEST_F(InBucket, NothingIsWrittenWhereNothingHappens) {  // [HOOK-61]
  auto one = start();
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(one->look().empty());
    clock->advance(10s);
  }
  EXPECT_EQ(faults().requests(Operation::put_object), 0);
  EXPECT_LE(faults().requests(), 20 + 4);
}

TEST_F(InBucket, AnEventCostsThreeRequests) {  // [HOOK-61]
  auto one = start();
  (void)one->remove(one->put(post_create, "first"));
  for (const auto event : {post_create, post_finish, post_terminate}) {
    faults().reset_counts();
    const auto entry = one->put(event, "a");
    EXPECT_EQ(one->turn(entry), Turn::now);
    EXPECT_EQ(one->turn(entry), Turn::now);
    ASSERT_TRUE(one->remove(entry));
    EXPECT_EQ(faults().requests(), 3) << faults().log().back();
  }
}

TEST_F(InBucket, AloneItCostsTwo) {  // [HOOK-61]
  auto one = start(alone());
  EXPECT_TRUE(one->look().empty());
  faults().reset_counts();
  const auto entry = one->put(post_finish, "a");
  EXPECT_EQ(one->turn(entry), Turn::now);
  ASSERT_TRUE(one->remove(entry));
  EXPECT_EQ(faults().requests(), 2);
}

TEST_F(InBucket, AloneWhatIsThereIsTakenAtOnce) {  // [HOOK-62]
  auto dead = start(alone());
  const auto create = dead->put(post_create, "a");
  auto next = start(alone());
  const auto finish = next->put(post_finish, "a");
  EXPECT_EQ(next->turn(finish), Turn::not_yet) << "it has not looked yet";
  EXPECT_EQ(names(next->look()), Names{create.name});
  EXPECT_EQ(next->turn(create), Turn::now);
  EXPECT_TRUE(next->look().empty());
}

TEST_F(InBucket, ADeadProcessIsInheritedWhenItsLeaseIsOver) {  // [HOOK-63]
  auto one = start();
  auto two = start();
  const auto create = one->put(post_create, "a");
  const auto finish = one->put(post_finish, "a");
  EXPECT_TRUE(two->look().empty());
  clock->advance(lease - 1s);
  EXPECT_TRUE(two->look().empty());
  clock->advance(1s);
  EXPECT_EQ(names(two->look(1)), Names{create.name}) << "as much as is wanted";
  EXPECT_EQ(names(two->look()), Names{finish.name});
  EXPECT_TRUE(two->look().empty());
  EXPECT_EQ(two->turn(create), Turn::now);
  EXPECT_EQ(run((**two).get(create)).value().event_name, "post-create");
  ASSERT_TRUE(two->remove(create));
  ASSERT_TRUE(two->remove(finish));
  EXPECT_TRUE(two->look().empty());
  two->stop();
  one->stop();
  EXPECT_TRUE(bucket->keys().empty()) << bucket->keys()[0];
}

TEST_F(InBucket, WhoLivesIsLeftAlone) {  // [HOOK-63]
  auto one = start();
  auto two = start();
  const auto entry = one->put(post_create, "a");
  for (int i = 0; i < 100; ++i) {
    clock->advance(lease - 1s);
    EXPECT_EQ(one->turn(entry), Turn::now) << "which touches its run, when that is old";
    EXPECT_TRUE(two->look().empty());
  }
}

TEST_F(InBucket, ACleanStopHandsOverAtOnce) {  // [HOOK-64]
  auto one = start();
  auto two = start();
  const auto entry = one->put(post_create, "a");
  EXPECT_TRUE(two->look().empty());
  one->stop();
  EXPECT_EQ(names(two->look()), Names{entry.name});
  EXPECT_TRUE(two->look().empty());
}

Awaitable<void> take(Outbox& outbox, std::vector<OutboxEntry>& taken) {
  const auto left = co_await outbox.left_behind(10);
  if (left) taken.insert(taken.end(), left->begin(), left->end());
}

TEST_F(InBucket, OfTwoThatLookAtOnceOneGetsIt) {  // [HOOK-65]
  for (int round = 0; round < 20; ++round) {
    auto one = start();
    const auto entry = one->put(post_create, std::to_string(round));
    auto two = start();
    auto three = start();
    (void)two->look();
    (void)three->look();
    if (round % 2 == 0) one->stop();
    clock->advance(lease);
    std::vector<OutboxEntry> taken;
    testing::TestLoop loop;
    loop.spawn(take(**two, taken));
    loop.spawn(take(**three, taken));
    loop.run();
    EXPECT_EQ(names(taken), Names{entry.name});
    EXPECT_TRUE(two->look().empty());
    EXPECT_TRUE(three->look().empty());
    ASSERT_TRUE(two->remove(entry));
  }
}

TEST_F(InBucket, WhatAHeirLeavesHasAHeir) {  // [HOOK-63]
  auto one = start();
  const auto first = one->put(post_create, "a");
  auto two = start();
  EXPECT_EQ(names(look_until_dead(*two)), Names{first.name});
  const auto second = two->put(post_finish, "a");
  auto three = start();
  (void)look_until_dead(*three);
  EXPECT_EQ(three->turn(first), Turn::now);
  EXPECT_EQ(three->turn(second), Turn::now);
  EXPECT_EQ(two->turn(first), Turn::lost);
  EXPECT_EQ(two->turn(second), Turn::lost);
  ASSERT_TRUE(three->remove(first));
  ASSERT_TRUE(three->remove(second));
  two->stop();
  one->stop();
  (void)look_until_dead(*three);
  (void)three->look();
  three->stop();
  EXPECT_TRUE(bucket->keys().empty()) << bucket->keys()[0];
}

TEST_F(InBucket, WhoWasTakenForDeadFindsOutBeforeItTells) {  // [HOOK-66]
  auto one = start();
  auto two = start();
  const auto before = one->put(post_create, "a");
  EXPECT_EQ(names(look_until_dead(*two)), Names{before.name});
  EXPECT_EQ(one->turn(before), Turn::lost);
  ASSERT_TRUE(two->remove(before));
  EXPECT_EQ(one->turn(before), Turn::unrecorded);
  const auto after = one->put(post_finish, "a");
  EXPECT_NE(owner_in(after.name), owner_in(before.name));
  EXPECT_EQ(one->turn(after), Turn::now);
  EXPECT_TRUE(two->look().empty()) << "it lives again";
}

TEST_F(InBucket, WhoCannotReachTheBucketTellsNothing) {  // [HOOK-66]
  auto one = start();
  const auto entry = one->put(post_finish, "a");
  EXPECT_EQ(one->turn(entry), Turn::now);
  faults().fail_all(Operation::put_object, Fault::fails);
  clock->advance(lease * 2 / 3 - 1s);
  EXPECT_EQ(one->turn(entry), Turn::now);
  clock->advance(1s);
  EXPECT_FALSE(run((**one).turn_of(entry)));
  faults().clear_faults();
  EXPECT_EQ(one->turn(entry), Turn::now) << "and it was nobody else's meanwhile";
}

TEST_F(InBucket, AnAnswerThatWasLostKeepsNobody) {  // [HOOK-69]
  auto one = start();
  faults().fail_nth(Operation::put_object, 1, Fault::done_twice);
  const auto made = one->try_put(post_create, "a");
  ASSERT_TRUE(made) << "a run that the first attempt has made";
  clock->advance(lease);
  faults().fail_nth(Operation::put_object, 1, Fault::done_twice);
  EXPECT_EQ(one->turn(*made), Turn::now);
  auto two = start();
  (void)two->look();
  clock->advance(lease);
  faults().fail_nth(Operation::put_object, 2, Fault::done_twice);
  EXPECT_EQ(names(two->look()), Names{made->name}) << "a claim, behind the making of its own run";
}

TEST_F(InBucket, TheOrderHoldsWhateverTheClocksSay) {  // [HOOK-67]
  auto fast = start({}, 1h);
  auto slow = start({}, -1h);
  const auto create = fast->put(post_create, "a");
  const auto finish = slow->put(post_finish, "a");
  const auto end = fast->put(post_terminate, "a");
  EXPECT_GT(finish.since, create.since);
  EXPECT_GT(end.since, finish.since);
  EXPECT_EQ(slow->turn(finish), Turn::not_yet);
  EXPECT_EQ(fast->turn(end), Turn::not_yet);
  EXPECT_EQ(fast->turn(create), Turn::now);
  EXPECT_TRUE(run((**slow).is_ended_later(finish)).value());
  EXPECT_TRUE(run((**slow).is_ended_later(create)).value());
  EXPECT_FALSE(run((**slow).is_ended_later(end)).value());
  ASSERT_TRUE(fast->remove(create));
  EXPECT_EQ(slow->turn(finish), Turn::now);
  EXPECT_EQ(fast->turn(end), Turn::not_yet);
  ASSERT_TRUE(slow->remove(finish));
  EXPECT_EQ(fast->turn(end), Turn::now);
  EXPECT_EQ(slow->turn(slow->put(post_finish, "b")), Turn::now) << "of another upload";
}

TEST_F(InBucket, WhatIsOnItsWayFromADeadProcessIsWaitedFor) {  // [HOOK-67]
  auto one = start();
  auto two = start();
  const auto create = one->put(post_create, "a");
  const auto finish = two->put(post_finish, "a");
  EXPECT_EQ(two->turn(finish), Turn::not_yet);
  EXPECT_EQ(names(look_until_dead(*two)), Names{create.name});
  EXPECT_EQ(two->turn(finish), Turn::now) << "from here on it is the deliveries' business";
}

TEST_F(InBucket, WhatCouldNotBePutIsInNobodysWay) {  // [HOOK-68]
  auto one = start();
  auto two = start();
  (void)one->remove(one->put(post_create, "x"));
  for (const auto fault : {Fault::answer_lost, Fault::fails}) {
    faults().fail_nth(Operation::put_object, 1, fault);
    EXPECT_FALSE(one->try_put(post_create, "a"));
    faults().clear_faults();
    EXPECT_EQ(records(), fault == Fault::fails ? 0u : 1u);
    const auto finish = two->put(post_finish, "a");
    EXPECT_TRUE(one->look().empty());
    EXPECT_EQ(two->turn(finish), Turn::now);
    ASSERT_TRUE(two->remove(finish));
    EXPECT_EQ(records(), 0u);
  }
}

TEST_F(InBucket, AMarkWithoutARecordGoes) {  // [HOOK-68]
  auto one = start();
  const auto entry = one->put(post_create, "a");
  (void)run((**one).mark_happened(entry)).value();
  ASSERT_TRUE(one->remove(entry));  // as it is known to who did not hear that it is marked
  EXPECT_EQ(records(), 1u);
  (void)one->look();
  EXPECT_EQ(records(), 1u);
  clock->advance(lease);
  (void)one->look();
  EXPECT_EQ(records(), 0u);
}

TEST_F(InBucket, WithoutConditionsItIsAGapAndNotALoss) {  // [HOOK-65]
  s3::test::Quirks quirks;
  quirks.no_conditions = true;
  bucket->set_quirks(quirks);
  auto one = start();
  auto two = start();
  auto three = start();
  const auto entry = one->put(post_create, "a");
  (void)three->look();
  EXPECT_EQ(names(look_until_dead(*two)), Names{entry.name});
  EXPECT_TRUE(three->look().empty());
  EXPECT_EQ(one->turn(entry), Turn::lost);
  EXPECT_EQ(two->turn(entry), Turn::now);
}

TEST_F(InBucket, WhatComesBackIsHandedOutAgain) {  // [HOOK-66]
  auto one = start();
  auto two = start();
  const auto entry = one->put(post_create, "a");
  EXPECT_EQ(names(look_until_dead(*two)), Names{entry.name});
  // As if another one had claimed it in the gap that there is without conditions.
  const auto key = place().prefix + "runs/" + std::string(owner_in(entry.name));
  const auto text = bucket->peek(key).value();
  bucket->put_behind_the_back({"uploads", key}, run_text("fedcba9876543210", "x"));
  EXPECT_TRUE(two->look().empty());
  EXPECT_EQ(two->turn(entry), Turn::lost);
  bucket->put_behind_the_back({"uploads", key}, text);
  (void)two->look();
  EXPECT_EQ(names(two->look()), Names{entry.name});
  EXPECT_EQ(two->turn(entry), Turn::now);
}

TEST_F(InBucket, TheDeadAreListedAndComeBack) {  // [HOOK-46]
  auto one = start();
  DeadLetters letters(place(), clock, 1min);
  EXPECT_TRUE(run(letters.list()).value().empty());
  EXPECT_EQ(run((**one).buried()).value(), 0u);
  const auto entry = run((**one).mark_happened(one->put(post_finish, "a"))).value();
  ASSERT_TRUE(run((**one).bury(entry)));
  EXPECT_EQ(records(), 0u);
  clock->advance(lease);
  EXPECT_EQ(run((**one).buried()).value(), 1u);
  const auto dead = run(letters.list()).value();
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_NE(run(letters.read(dead[0])).value().find("post-finish"), std::string::npos);
  const auto now = clock->wall() + 5s;
  ASSERT_TRUE(run(letters.replay(dead[0], now)));
  EXPECT_TRUE(run(letters.list()).value().empty());
  const auto taken = one->look();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].since, now) << "it is given the whole time again";
  EXPECT_TRUE(taken[0].has_happened);
  EXPECT_EQ(one->turn(taken[0]), Turn::now);
  EXPECT_EQ(run((**one).get(taken[0])).value().event_name, "post-finish");
  ASSERT_TRUE(one->remove(taken[0]));
  (void)one->look();
  one->stop();
  EXPECT_TRUE(bucket->keys().empty()) << bucket->keys()[0];
}

// Whoever fails tries again.
template <class Make>
auto insist(Make make) {
  for (int i = 0; i < 10; ++i) {
    auto done = make();
    if (done) return done;
  }
  ADD_FAILURE() << "never";
  return make();
}

std::string id_in(const OutboxEntry& entry) {
  const std::string name(name_without_owner(entry.name));
  return name.substr(name.rfind('-') + 1);
}

// The ids of what is told, with all that comes before and after it.
void tell(Process& process, const OutboxEntry& entry, Names& told) {
  if (insist([&] { return run((*process).turn_of(entry)); }) != Turn::now) return;
  const auto is_there = insist([&]() -> Result<bool> {
    auto got = run((*process).get(entry));
    if (!got && got.error() == ErrorCode::upload_not_found) return false;
    if (!got) return fail(got.error());
    EXPECT_EQ(got->event_id, id_in(entry));
    return true;
  });
  if (*is_there) told.push_back(id_in(entry));
  (void)insist([&] { return process.remove(entry); });
}

TEST_F(InBucket, WhicheverRequestFailsNothingIsLostOrOutOfOrder) {  // [HOOK-69]
  for (const auto fault : {Fault::fails, Fault::answer_lost, Fault::done_twice}) {
    bool was_hit = true;
    for (int n = 1; was_hit; ++n) {
      SCOPED_TRACE(std::to_string(static_cast<int>(fault)) + " " + std::to_string(n));
      auto one = start();
      auto two = start();
      faults().reset_counts();
      faults().fail_nth(n, fault);
      Names promised;
      const auto put = [&promised](Process& process, HookEvent event) {
        promised.push_back(id_in(*insist([&] { return process.try_put(event, "a"); })));
      };
      put(*one, post_create);
      put(*two, post_finish);
      put(*one, post_terminate);
      if (n % 2 == 0) one->stop();
      std::vector<OutboxEntry> taken;
      for (int i = 0; i < 4; ++i) {
        auto left = run((**two).left_behind(10));
        if (left) taken.insert(taken.end(), left->begin(), left->end());
        clock->advance(lease);
      }
      const auto own = insist([&] { return run((**two).waiting(10)); });
      taken.insert(taken.end(), own->begin(), own->end());
      std::ranges::sort(taken, {}, &OutboxEntry::name);
      Names told;
      for (const auto& entry : taken) tell(*two, entry, told);
      was_hit = faults().requests() >= n;
      faults().clear_faults();
      // What could not be promised may be told, too: the deliveries ask the store about it.
      std::erase_if(
          told, [&](const auto& id) { return std::ranges::find(promised, id) == promised.end(); });
      EXPECT_EQ(told, promised);
      (void)two->look();
      EXPECT_EQ(records(), 0u);
      two->stop();
      one->stop();
      for (const auto& key : bucket->keys()) bucket->delete_behind_the_back(key);
    }
  }
}

}  // namespace
}  // namespace tus::hooks
