// Every system call of an upload's life fails once; what was promised before holds after each.
#include "stores/file/file_test_kit.h"

#include <set>

namespace tus::file_store::test {
namespace {

using tus::testing::BodyScript;
namespace fs = std::filesystem;

// What a client was told.
struct Told {
  bool created = false;
  std::uint64_t offset = 0;
  bool finished = false;
};

const std::string bytes = pattern(60);

std::string part(std::size_t from, std::size_t to) { return bytes.substr(from, to - from); }

// The life of one upload, until the first failure.
Told live(FileBench& bench) {
  const auto never = Deadline::never();
  FakeLease lease;
  Told told;
  auto draft = draft_of("dir/a", std::nullopt);
  if (bench.store().capabilities().needs_finish) draft.finish = FinishState::pending;
  auto made = try_create(bench.store(), std::move(draft), part(0, 10));
  if (!made) return told;
  told.created = true;
  told.offset = 10;

  auto upload = *std::move(made);
  auto outcome = bench.append_body(*upload, BodyScript::chunked(part(10, 30), 7));
  told.offset = outcome.safe_offset;
  if (outcome.error) return told;

  auto opened = try_open(bench.store(), "dir/a");
  if (!opened) return told;
  upload = *std::move(opened);
  if (append_staged(*upload, part(30, 40)).error) return told;
  if (!run(upload->commit_staged(lease, never))) return told;
  told.offset = 40;
  if (append_staged(*upload, "wrong").error) return told;
  if (!run(upload->rollback_staged(lease, never))) return told;
  if (!run(upload->declare_length(lease, 60, never))) return told;
  outcome = bench.append_bytes(*upload, part(40, 60));
  told.offset = outcome.safe_offset;
  if (outcome.error) return told;
  told.finished = run(upload->finish_and_record(lease, never)).has_value();
  return told;
}

// What has failed can be carried on with, and ends well.
void carry_on(FileBench& bench) {
  auto upload = open(bench.store(), "dir/a");
  const auto never = Deadline::never();
  if (!upload->info().length) expect_ok(run(upload->declare_length(FakeLease(), 60, never)));
  auto outcome = append(*upload, bytes.substr(static_cast<std::size_t>(upload->info().offset)));
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.safe_offset, 60u);
  expect_ok(run(upload->finish_and_record(FakeLease(), never)));
  auto info = inspect(bench.store(), "dir/a");
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->finished());
  EXPECT_EQ(bench.data("dir/a"), bytes);
}

void expect_nothing_left(const FileBench& bench) {
  for (const auto& entry : fs::recursive_directory_iterator(bench.options.directory)) {
    EXPECT_FALSE(entry.is_regular_file()) << entry.path();
  }
}

enum class After { nothing, restart, power_cut };

void check(FileBench& bench, const Told& told, After after) {
  bench.calls->fail_call(-1, 0);
  if (after == After::restart) bench.restart();
  if (after == After::power_cut) bench.cut_power();
  if (!told.created) {
    expect_nothing_left(bench);
    expect_error(inspect(bench.store(), "dir/a"), ErrorCode::upload_not_found);
    return;
  }
  auto info = inspect(bench.store(), "dir/a");
  ASSERT_TRUE(info) << info.error().detail();
  bool all_promised = after != After::power_cut || bench.options.fsync == FsyncPolicy::always;
  if (all_promised || told.finished) EXPECT_GE(info->offset, told.offset);
  if (told.finished) EXPECT_TRUE(info->finished());
  EXPECT_LE(info->offset, 60u);
  auto kept = bench.data("dir/a").substr(0, static_cast<std::size_t>(info->offset));
  EXPECT_EQ(kept, bytes.substr(0, kept.size())) << "zeros, stale or staged bytes";
  EXPECT_EQ(kept.size(), info->offset);
  if (!info->finished()) carry_on(bench);
}

void fail_each_call(FsyncPolicy fsync, int error, After after) {
  for (int n = 1;; ++n) {
    FileBench bench(fsync);
    SCOPED_TRACE("call " + std::to_string(n));
    bench.calls->fail_call(n, error);
    auto told = live(bench);
    bool failed = bench.calls->has_failed();
    check(bench, told, after);
    if (!failed) {
      EXPECT_TRUE(told.finished);
      EXPECT_GT(n, 15);
      return;
    }
    ASSERT_LT(n, 300);
    if (::testing::Test::HasFailure()) return;
  }
}

class Faults : public ::testing::TestWithParam<FsyncPolicy> {};

// [FILE-14] promises hold whichever system call fails.
TEST_P(Faults, leave_the_upload_true_in_this_process) {
  fail_each_call(GetParam(), EIO, After::nothing);
  fail_each_call(GetParam(), ENOSPC, After::nothing);
}

TEST_P(Faults, leave_the_upload_true_after_a_restart) {
  fail_each_call(GetParam(), EIO, After::restart);
}

TEST_P(Faults, leave_the_upload_true_after_a_power_cut) {
  if (GetParam() == FsyncPolicy::off) return;  // promises nothing there
  fail_each_call(GetParam(), EIO, After::power_cut);
}

// A termination that fails half-way leaves the whole upload, or none, and can be repeated.
TEST_P(Faults, leave_all_or_nothing_of_a_terminated_upload) {
  for (int n = 1;; ++n) {
    FileBench bench(GetParam());
    SCOPED_TRACE("call " + std::to_string(n));
    auto upload = create(bench.store(), draft_of("dir/a", 60), bytes);
    bench.calls->fail_call(n, EIO);
    auto done = run(upload->terminate(FakeLease(), Deadline::never()));
    bool failed = bench.calls->has_failed();
    bench.calls->fail_call(-1, 0);
    auto info = inspect(bench.store(), "dir/a");
    if (info) {
      EXPECT_FALSE(done);
      EXPECT_EQ(info->offset, 60u);
      expect_ok(run(open(bench.store(), "dir/a")->terminate(FakeLease(), Deadline::never())));
    }
    expect_error(inspect(bench.store(), "dir/a"), ErrorCode::upload_not_found);
    create(bench.store(), draft_of("dir/a", 60), "new");
    EXPECT_EQ(bench.data("dir/a"), "new");
    if (!failed) break;
    ASSERT_LT(n, 20);
  }
}

// [FILE-15] a full disk: the offset is exact, and the upload goes on when there is room.
TEST_P(Faults, of_a_full_disk_are_told_and_pass) {
  FileBench bench(GetParam());
  auto upload = create(bench.store(), draft_of("dir/a", 60), part(0, 10));
  bench.calls->fail_writes(ENOSPC);
  auto outcome = bench.append_bytes(*upload, part(10, 60));
  ASSERT_TRUE(outcome.error);
  EXPECT_TRUE(*outcome.error == ErrorCode::no_space);
  EXPECT_EQ(outcome.safe_offset, 10u);
  EXPECT_EQ(inspect(bench.store(), "dir/a")->offset, 10u);
  expect_error(try_create(bench.store(), draft_of("b", 60), part(0, 10)), ErrorCode::no_space);
  expect_error(run(upload->declare_length(FakeLease(), 60, Deadline::never())),
               ErrorCode::no_space);
  expect_error(run(bench.store().health(Deadline::never())), ErrorCode::no_space);
  EXPECT_FALSE(fs::exists(bench.path("b")));
  bench.calls->fail_writes(0);
  carry_on(bench);
}

// [FILE-17] room that is missing only at close(2): the bytes since the last one are not acknowledged.
TEST_P(Faults, at_close_are_errors_of_what_was_written) {
  FileBench bench(GetParam());
  auto upload = create(bench.store(), draft_of("dir/a", 60), part(0, 10));
  bench.append_bytes(*upload, part(10, 20));
  upload = open(bench.store(), "dir/a");
  bench.calls->fail_close(EDQUOT);
  auto outcome = bench.append_bytes(*upload, part(20, 60));
  bench.calls->fail_close(0);
  EXPECT_EQ(outcome.safe_offset, 20u);
  ASSERT_TRUE(outcome.error);
  EXPECT_TRUE(*outcome.error == ErrorCode::no_space);
  EXPECT_EQ(inspect(bench.store(), "dir/a")->offset, 20u);
  EXPECT_EQ(bench.data("dir/a").substr(0, 20), part(0, 20));
  carry_on(bench);

  bench.calls->fail_close(ENOSPC);
  expect_error(try_create(bench.store(), draft_of("dir/b", 60), part(0, 10)), ErrorCode::no_space);
  bench.calls->fail_close(0);
  EXPECT_FALSE(fs::exists(bench.path("dir/b")));
  EXPECT_FALSE(fs::exists(bench.path("dir/b.info")));
}

TEST_P(Faults, of_a_read_only_disk_are_told_and_pass) {
  FileBench bench(GetParam());
  auto upload = create(bench.store(), draft_of("dir/a", 60), part(0, 10));
  bench.calls->fail_writes(EROFS);
  auto outcome = bench.append_bytes(*upload, part(10, 60));
  ASSERT_TRUE(outcome.error);
  EXPECT_TRUE(*outcome.error == ErrorCode::store_unavailable);
  expect_error(run(bench.store().health(Deadline::never())), ErrorCode::store_unavailable);
  bench.calls->fail_writes(0);
  carry_on(bench);
}

TEST_P(Faults, of_short_writes_do_no_harm) {
  FileBench bench(GetParam());
  bench.calls->write_at_most(3);
  auto told = live(bench);
  EXPECT_TRUE(told.finished);
  EXPECT_EQ(bench.data("dir/a"), bytes);
}

INSTANTIATE_TEST_SUITE_P(file_store, Faults,
                         ::testing::Values(FsyncPolicy::off, FsyncPolicy::finish,
                                           FsyncPolicy::always));

}  // namespace
}  // namespace tus::file_store::test
