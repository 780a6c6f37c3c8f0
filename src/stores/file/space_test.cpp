// What has to stay free on the file system.
#include "stores/file/file_test_kit.h"

namespace tus::file_store::test {
namespace {

const auto never = Deadline::never();
using tus::testing::BodyScript;

struct KeptFree : FileBench {
  explicit KeptFree(std::uint64_t least, FsyncPolicy fsync = FsyncPolicy::off) : FileBench(fsync) {
    options.min_free_space = least;
    restart();
  }
};

// [LIMIT-20]
TEST(min_free_space, creations_leave_it) {
  KeptFree bench(1000);
  bench.calls->free_space(1500);
  expect_error(try_create(bench.store(), draft_of("a", 501)), ErrorCode::no_space);
  expect_error(try_create(bench.store(), draft_of("a", INT64_MAX)), ErrorCode::no_space);
  expect_error(try_create(bench.store(), draft_of("a", std::nullopt), pattern(501)),
               ErrorCode::no_space);
  EXPECT_FALSE(std::filesystem::exists(bench.path("a")));
  EXPECT_FALSE(std::filesystem::exists(bench.path("a.info")));
  create(bench.store(), draft_of("a", 500));
  bench.calls->free_space(1000);
  create(bench.store(), draft_of("deferred", std::nullopt));
  create(bench.store(), draft_of("empty", 0));
  bench.calls->free_space(999);
  expect_error(try_create(bench.store(), draft_of("b", std::nullopt)), ErrorCode::no_space);
  expect_error(try_create(bench.store(), draft_of("b", 0)), ErrorCode::no_space);
  auto final_draft = draft_of("f", 500);
  final_draft.partial_uploads = {"a"};
  expect_error(try_create(bench.store(), final_draft), ErrorCode::no_space);
  EXPECT_TRUE(run(bench.store().pending_joins(never))->empty());
}

// [LIMIT-21]
TEST(min_free_space, appends_end_with_all_that_fits) {
  for (const auto fsync : {FsyncPolicy::off, FsyncPolicy::finish, FsyncPolicy::always}) {
    KeptFree bench(1000, fsync);
    bench.calls->free_space(5000);
    auto upload = create(bench.store(), draft_of("a", 4000));
    const auto bytes = pattern(4000);
    bench.calls->free_space(1300);
    // Each job asks, and in the meantime the disk does not get fuller in this test.
    int jobs = 0;
    std::function<void()> fuller = [&] {
      bench.calls->free_space(++jobs == 1 ? 1200 : 1000);
      bench.calls->after("pwrite", fuller);
    };
    bench.calls->after("pwrite", fuller);
    auto outcome = bench.append_body(*upload, BodyScript::whole(bytes));
    ASSERT_TRUE(outcome.error);
    EXPECT_TRUE(*outcome.error == ErrorCode::no_space);
    EXPECT_EQ(outcome.body, BodyState::open);
    EXPECT_EQ(outcome.safe_offset, 500u) << "300, and 200";
    upload.reset();
    EXPECT_EQ(inspect(bench.store(), "a")->offset, 500u);
    EXPECT_TRUE(bench.data("a") == bytes.substr(0, 500));

    // A body that brings nothing needs nothing.
    upload = open(bench.store(), "a");
    outcome = bench.append_body(*upload, BodyScript::chunked("", 1));
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.body, BodyState::complete);
    bench.calls->after("", nullptr);
    bench.calls->free_space(100'000);
    EXPECT_EQ(bench.append_bytes(*upload, bytes.substr(500)).safe_offset, 4000u);
    EXPECT_TRUE(bench.data("a") == bytes);
  }
}

// [LIMIT-21] Staged bytes do not count.
TEST(min_free_space, staged_bytes_are_taken_back) {
  KeptFree bench(1000);
  bench.calls->free_space(2000);
  auto upload = create(bench.store(), draft_of("a", 100), "hello");
  bench.calls->free_space(1000);
  const auto outcome = append_staged(*upload, pattern(50));
  ASSERT_TRUE(outcome.error);
  EXPECT_TRUE(*outcome.error == ErrorCode::no_space);
  EXPECT_EQ(outcome.safe_offset, 5u);
  expect_ok(run(upload->rollback_staged(FakeLease(), never)));
  EXPECT_EQ(bench.data("a"), "hello");
}

// [LIMIT-22]
TEST(min_free_space, what_ends_needs_none) {
  KeptFree bench(1000, FsyncPolicy::finish);
  bench.calls->free_space(2000);
  auto whole = create(bench.store(), draft_of("whole", 5), "hello");
  auto part = draft_of("part", 5);
  part.is_partial = true;
  auto piece = create(bench.store(), part, "hello");
  expect_ok(run(piece->finish_and_record(FakeLease(), never)));
  auto joined = draft_of("joined", 10);
  joined.partial_uploads = {"part", "part"};
  auto both = create(bench.store(), joined);
  bench.calls->free_space(0);
  expect_ok(run(whole->finish_and_record(FakeLease(), never)));
  EXPECT_TRUE(inspect(bench.store(), "whole")->finished());
  const auto copied = run(both->concatenate(FakeLease(), never));
  ASSERT_TRUE(copied);
  EXPECT_EQ(*copied, Joined::wholly);
  EXPECT_EQ(bench.data("joined"), "hellohello");
  for (auto* upload : {&whole, &piece, &both}) {
    expect_ok(run((*upload)->terminate(FakeLease(), never)));
  }
  EXPECT_EQ(run(bench.store().usage(never))->uploads, 0u);
}

// [LIMIT-21]
TEST(min_free_space, is_asked_once_a_job_and_only_when_wanted) {
  KeptFree bench(1000);
  auto upload = create(bench.store(), draft_of("a", 100));
  const auto before = bench.calls->space_asked();
  bench.append_bytes(*upload, pattern(100));
  EXPECT_EQ(bench.calls->space_asked(), before + 1);
  FileBench free;
  append(*create(free.store(), draft_of("a", 100)), pattern(100));
  EXPECT_EQ(free.calls->space_asked(), 0);
}

// [LIMIT-21] A disk that does not answer.
TEST(min_free_space, errors_are_answers) {
  KeptFree bench(1000);
  bench.calls->fail_call(1, EIO);
  expect_error(try_create(bench.store(), draft_of("a", 10)), ErrorCode::store_unavailable);
  auto upload = create(bench.store(), draft_of("a", 10));
  bench.calls->fail_call(1, EIO);
  const auto outcome = bench.append_bytes(*upload, "hello");
  ASSERT_TRUE(outcome.error);
  EXPECT_TRUE(*outcome.error == ErrorCode::store_unavailable);
  EXPECT_EQ(outcome.safe_offset, 0u);
  EXPECT_EQ(bench.append_bytes(*upload, "hello").safe_offset, 5u);
}

}  // namespace
}  // namespace tus::file_store::test
