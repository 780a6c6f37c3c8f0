// Two processes on one directory: their stores share records, and no memory.
#include "stores/file/file_test_kit.h"

namespace tus::file_store::test {
namespace {

using namespace std::chrono_literals;

class TwoStores : public ::testing::Test {
 protected:
  TwoStores() {
    other.options.directory = one.options.directory;
    other.restart();
  }
  static void sync(FileBench& bench) {
    bench.clock->advance(30s);
    bench.keeper().sync_due(bench.clock->now());
  }

  FileBench one{FsyncPolicy::finish};
  FileBench other{FsyncPolicy::finish};
};

// [FILE-24]
TEST_F(TwoStores, do_not_replace_a_record_at_the_same_time) {
  auto& records = one.store().context().records;
  {
    const auto guard = records.guard(*UploadId::parse("a"));
    ASSERT_TRUE(guard);
    EXPECT_TRUE(is_guarded(one));
  }
  EXPECT_FALSE(is_guarded(one));
}

// [FILE-24]
TEST_F(TwoStores, do_not_mark_an_upload_for_the_bytes_of_another) {
  const auto bytes = pattern(60);
  create(one.store(), draft_of("a", 100), bytes);
  one.calls->during_sync([&] {
    auto upload = open(other.store(), "a");
    expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
    upload = create(other.store(), draft_of("a", 100));
    append(*upload, bytes);
  });
  sync(one);
  EXPECT_EQ(mark_of(other, "a"), "0") << "nobody has made these bytes safe";
}

// [FILE-24]
TEST_F(TwoStores, do_not_take_back_what_the_other_has_made_safe) {
  const auto bytes = pattern(60);
  create(one.store(), draft_of("a", 100), bytes.substr(0, 10));
  {
    auto upload = open(other.store(), "a");
    append(*upload, bytes.substr(10, 30));
  }
  sync(other);
  EXPECT_EQ(mark_of(other, "a"), "40");
  sync(one);
  EXPECT_EQ(mark_of(other, "a"), "40");
}

// A lease that was lost, at the worst moment.  [FILE-24]
TEST_F(TwoStores, do_not_bring_back_a_record_that_the_other_has_removed) {
  auto upload = create(one.store(), draft_of("a", std::nullopt), "hello");
  auto theirs = open(other.store(), "a");
  expect_ok(run(theirs->terminate(FakeLease(), Deadline::never())));
  const auto declared = run(upload->declare_length(FakeLease(), 60, Deadline::never()));
  ASSERT_FALSE(declared);
  EXPECT_EQ(declared.error().code(), ErrorCode::upload_gone);
  EXPECT_FALSE(std::filesystem::exists(one.path("a.info")));
}

// [FILE-25]
TEST_F(TwoStores, leave_what_the_other_holds_alone_when_they_stop) {
  for (const char* id : {"held", "free"}) create(one.store(), draft_of(id, 100), "hello");
  std::ofstream(one.path("held.lock")) << "1\n";
  one.close();
  EXPECT_EQ(mark_of(other, "held"), "5");
  EXPECT_EQ(mark_of(other, "free"), "none");
}

// The other one reads the record while this one is cleaning it.  [FILE-25]
TEST_F(TwoStores, put_back_what_the_other_has_begun_to_use) {
  create(one.store(), draft_of("a", 100), "hello");
  sync(one);
  one.calls->during_sync([&] { std::ofstream(one.path("a.lock")) << "1\n"; });
  one.close();
  EXPECT_TRUE(std::filesystem::exists(one.path("a.lock")));
  EXPECT_EQ(mark_of(other, "a"), "5");
}

}  // namespace
}  // namespace tus::file_store::test
