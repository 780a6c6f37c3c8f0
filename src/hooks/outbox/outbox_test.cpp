#include "hooks/common/record_name.h"
#include "hooks/common/record_text.h"
#include "hooks/outbox/outbox_test_kit.h"
#include "hooks/outbox/outboxes.h"

#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace tus::hooks {
namespace {

namespace fs = std::filesystem;

class Directory : public ::testing::Test {
 protected:
  std::unique_ptr<OutboxDirectory> open() {
    return OutboxDirectory::open(path(), OutboxSafety::synced).value();
  }
  std::string path() const { return (directory_.path() / "side/outbox").string(); }
  static std::string name(std::uint64_t time, std::string_view id,
                          HookEvent event = HookEvent::post_create) {
    OutboxEntry entry;
    entry.line = line_of(id);
    entry.event = event;
    entry.since = std::chrono::system_clock::time_point(std::chrono::nanoseconds(time));
    return record_name(entry, std::string(32, 'a'));
  }
  static std::vector<std::string> names(const std::vector<OutboxEntry>& entries) {
    std::vector<std::string> list;
    for (const auto& entry : entries) list.push_back(entry.name);
    return list;
  }
  // As if the last change was long ago, so that a time says something again.
  void settle() const {
    const auto then = fs::file_time_type::clock::now() - std::chrono::hours(1);
    for (const auto& place : fs::directory_iterator(path())) fs::last_write_time(place, then);
    fs::last_write_time(path(), then);
  }
  std::size_t places() const {
    const auto all = fs::directory_iterator(path());
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  testing::TemporaryDirectory directory_;
};

TEST(RecordName, SaysAllThatOrdersRecords) {  // [HOOK-40]
  OutboxEntry entry;
  entry.line = line_of("abc");
  entry.event = HookEvent::post_terminate;
  entry.since = std::chrono::system_clock::time_point(std::chrono::nanoseconds(0x1234));
  const auto name = record_name(entry, std::string(32, 'f'));
  const auto read = entry_named(name);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->line, entry.line);
  EXPECT_EQ(read->event, entry.event);
  EXPECT_EQ(read->since, entry.since);
  EXPECT_FALSE(read->has_happened);
  const auto later = entry_named(with_happened(*read).name);
  ASSERT_TRUE(later);
  EXPECT_TRUE(later->has_happened);
  EXPECT_EQ(later->line, entry.line);
  for (std::string_view other : {"lock", "", "0", ".", "run-1234"})
    EXPECT_FALSE(entry_named(other));
  for (std::size_t i = 0; i < name.size(); ++i) EXPECT_FALSE(entry_named(name.substr(0, i)));
  EXPECT_NE(line_of("abc"), line_of("abd"));
}

TEST(RecordText, ComesBackAsItWas) {  // [HOOK-41]
  auto envelope = told(HookEvent::post_finish, "a/b");
  envelope.upload_length = std::uint64_t{1} << 62;
  envelope.upload_offset = 9;
  envelope.request_fields.add("X-Odd", "\xFF \"q\" \x01");
  const auto text = record_text(envelope);
  const auto read = read_record(text);
  ASSERT_TRUE(read) << read.error().detail();
  EXPECT_EQ(read->event, envelope.event);
  EXPECT_EQ(read->event_name, "post-finish");
  EXPECT_EQ(read->event_id, envelope.event_id);
  EXPECT_EQ(read->body, envelope.body);
  EXPECT_EQ(read->upload_id, "a/b");
  EXPECT_EQ(read->upload_length, envelope.upload_length);
  EXPECT_EQ(read->upload_offset, 9u);
  EXPECT_EQ(*read->request_fields.find("x-odd"), "\xFF \"q\" \x01");
  envelope.upload_length.reset();
  EXPECT_FALSE(read_record(record_text(envelope))->upload_length);
  // However far its writer got.
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    EXPECT_EQ(read_record(text.substr(0, i)).error(), ErrorCode::upload_damaged);
  }
}

TEST_F(Directory, KeepsRecordsUntilTheyAreRemoved) {  // [HOOK-42]
  auto outbox = open();
  ASSERT_TRUE(outbox->put(name(2, "a"), "two"));
  ASSERT_TRUE(outbox->put(name(1, "b"), "one"));
  EXPECT_EQ(names(*outbox->list(10)), (std::vector{name(1, "b"), name(2, "a")}));
  EXPECT_EQ(names(*outbox->list(1)), std::vector{name(1, "b")});
  EXPECT_TRUE(outbox->list(0)->empty());
  EXPECT_EQ(*outbox->get(name(2, "a")), "two");
  ASSERT_TRUE(outbox->remove(name(2, "a")));
  EXPECT_EQ(outbox->get(name(2, "a")).error(), ErrorCode::upload_not_found);
  ASSERT_TRUE(outbox->remove(name(2, "a"))) << "once more";
  ASSERT_TRUE(outbox->remove(name(1, "b")));
  outbox.reset();
  EXPECT_EQ(places(), 0u);
}

TEST_F(Directory, NobodyElseMayReadIt) {  // [HOOK-43]
  const auto outbox = open();
  ASSERT_TRUE(outbox->put(name(1, "a"), "secret"));
  for (const auto& file : fs::recursive_directory_iterator(path())) {
    EXPECT_EQ(file.status().permissions() & (fs::perms::group_all | fs::perms::others_all),
              fs::perms::none)
        << file.path();
  }
}

TEST_F(Directory, WhatADeadProcessLeftIsTakenOverOnce) {  // [HOOK-44]
  auto one = open();
  auto two = open();
  auto three = open();
  ASSERT_TRUE(one->put(name(1, "a"), "one"));
  ASSERT_TRUE(one->put(name(3, "a"), "three"));
  EXPECT_TRUE(two->take_over(10)->empty()) << "its process lives";
  one.reset();  // as death leaves it: with its records
  EXPECT_EQ(names(*two->take_over(1)), std::vector{name(1, "a")});
  EXPECT_EQ(names(*three->take_over(10)), std::vector{name(3, "a")});
  EXPECT_TRUE(two->take_over(10)->empty());
  EXPECT_EQ(*two->get(name(1, "a")), "one");
  EXPECT_EQ(*three->get(name(3, "a")), "three");
  EXPECT_EQ(places(), 2u);
}

TEST_F(Directory, KnowsWhatIsOlderElsewhere) {  // [HOOK-45]
  auto one = open();
  const auto two = open();
  ASSERT_TRUE(one->put(name(2, "a"), "x"));
  const auto asked = [&](std::uint64_t time, std::string_view id) {
    return *two->is_older_elsewhere(*entry_named(name(time, id)));
  };
  EXPECT_TRUE(asked(3, "a"));
  EXPECT_FALSE(asked(1, "a"));
  EXPECT_FALSE(asked(3, "b"));
  ASSERT_TRUE(one->remove(name(2, "a")));
  EXPECT_FALSE(asked(3, "a"));
  EXPECT_FALSE(*one->is_older_elsewhere(*entry_named(name(9, "a"))))
      << "what is its own does not count";
}

TEST_F(Directory, SeesWhatOthersDoToTheirRecordsAtOnce) {  // [HOOK-52]
  auto one = open();
  const auto two = open();
  const auto asked = [&](std::string_view id) {
    return *two->is_older_elsewhere(*entry_named(name(1'000'000, id)));
  };
  // Changes within one tick of the kernel's clock among them, after which a time says nothing.
  for (int round = 0; round < 300; ++round) {
    const auto id = std::to_string(round);
    EXPECT_FALSE(asked(id));
    ASSERT_TRUE(one->put(name(1, id), "x"));
    EXPECT_TRUE(asked(id)) << round;
    EXPECT_TRUE(asked(id));
    ASSERT_TRUE(one->remove(name(1, id)));
    EXPECT_FALSE(asked(id)) << round;
  }
  ASSERT_TRUE(one->put(name(1, "a"), "x"));
  settle();
  EXPECT_TRUE(asked("a"));
  EXPECT_FALSE(asked("b"));
  ASSERT_TRUE(one->put(name(1, "b"), "x"));
  EXPECT_TRUE(asked("b"));
  const auto three = open();
  ASSERT_TRUE(three->put(name(1, "c"), "x"));
  EXPECT_TRUE(asked("c")) << "one that came later";
}

TEST_F(Directory, TellsHowNewTheRecordsOfOthersAre) {  // [HOOK-55]
  auto one = open();
  EXPECT_EQ(one->newest_elsewhere(), std::chrono::system_clock::time_point());
  ASSERT_TRUE(one->put(name(5, "a"), "x"));
  ASSERT_TRUE(one->put(name(7, "b"), "x"));
  EXPECT_EQ(one->newest_elsewhere(), std::chrono::system_clock::time_point());
  const auto two = open();
  one.reset();
  EXPECT_EQ(two->newest_elsewhere().time_since_epoch(), std::chrono::nanoseconds(7));
}

TEST_F(Directory, TheDeadAreListedAndComeBack) {  // [HOOK-46]
  const auto outbox = open();
  EXPECT_EQ(*outbox->count_buried(), 0u);
  EXPECT_TRUE(list_buried(path())->empty());
  ASSERT_TRUE(outbox->put(name(1, "a"), "text"));
  ASSERT_TRUE(outbox->bury(name(1, "a")));
  EXPECT_TRUE(outbox->list(10)->empty());
  EXPECT_EQ(*outbox->count_buried(), 1u);
  const auto dead = *list_buried(path());
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(*read_buried(path(), dead[0]), "text");
  const auto now = std::chrono::system_clock::time_point(std::chrono::nanoseconds(77));
  ASSERT_TRUE(replay_buried(path(), dead[0], now));
  EXPECT_EQ(*outbox->count_buried(), 0u);
  const auto taken = *outbox->take_over(10);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].since, now) << "it is given the whole time again";
  EXPECT_TRUE(taken[0].has_happened);
  EXPECT_EQ(*outbox->get(taken[0].name), "text");
}

TEST_F(Directory, SurvivesItsOwnRemoval) {  // [HOOK-47]
  const auto outbox = open();
  fs::remove_all(directory_.path() / "side");
  ASSERT_TRUE(outbox->put(name(1, "a"), "text"));
  EXPECT_EQ(*outbox->get(name(1, "a")), "text");
  EXPECT_EQ(places(), 1u);
}

}  // namespace
}  // namespace tus::hooks
