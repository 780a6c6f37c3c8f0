// Every system call of an upload's life fails once; what was promised before holds after each.
#include "stores/file/file_test_kit.h"

#include <iterator>
#include <utility>

namespace tus::file_store::test {
namespace {

using tus::testing::BodyScript;
namespace fs = std::filesystem;

// What a client was told, or could rely on.
struct Told {
  bool created = false;
  std::uint64_t offset = 0;
  std::uint64_t safe = 0;  // of that, what no power cut may take although the upload is unfinished
  bool finished = false;
  std::string place = "dir/a";  // of the data
};

const std::string bytes = pattern(60);
const auto never = Deadline::never();

std::string part(std::size_t from, std::size_t to) { return bytes.substr(from, to - from); }

UploadDraft draft_for(FileBench& bench, std::optional<std::uint64_t> length) {
  auto draft = draft_of("dir/a", length);
  if (bench.store().capabilities().needs_finish) draft.finish = FinishState::pending;
  return draft;
}

// The background does its work, and what it says is safe is safe.
void keep(FileBench& bench, Told& told) {
  auto& keeper = bench.store().context().keeper;
  auto offset = told.offset;
  if (keeper && keeper->sync_all(never)) told.safe = offset;
}

bool append_and_tell(FileBench& bench, Upload& upload, const std::string& more, Told& told) {
  auto outcome = bench.append_body(upload, BodyScript::chunked(more, 7));
  told.offset = outcome.safe_offset;
  return !outcome.error;
}

// Lives of an upload, each until its first failure.
using Life = Told (*)(FileBench&);

Told with_every_command(FileBench& bench) {
  FakeLease lease;
  Told told;
  auto made = try_create(bench.store(), draft_for(bench, std::nullopt), part(0, 10));
  if (!made) return told;
  told.created = true;
  told.offset = 10;
  auto upload = *std::move(made);
  if (!append_and_tell(bench, *upload, part(10, 30), told)) return told;
  keep(bench, told);

  auto opened = try_open(bench.store(), "dir/a");
  if (!opened) return told;
  upload = *std::move(opened);
  if (append_staged(*upload, part(30, 40)).error) return told;
  if (!run(upload->commit_staged(lease, never))) return told;
  told.offset = 40;
  if (append_staged(*upload, "wrong").error) return told;
  if (!run(upload->rollback_staged(lease, never))) return told;
  if (!run(upload->declare_length(lease, 60, never))) return told;
  if (!append_and_tell(bench, *upload, part(40, 60), told)) return told;
  told.finished = run(upload->finish_and_record(lease, never)).has_value();
  return told;
}

Told in_one_call(FileBench& bench) {
  Told told;
  auto draft = draft_for(bench, 60);
  if (draft.finish == FinishState::pending) draft.finish = FinishState::finished;
  if (!try_create(bench.store(), std::move(draft), bytes)) return told;
  told.created = told.finished = true;
  told.offset = 60;
  return told;
}

// Another creation of the same id is refused and changes nothing, with the lock of the id or without.
Told created_again(FileBench& bench) {
  Told told;
  auto made = try_create(bench.store(), draft_for(bench, 60), part(0, 10));
  if (!made) return told;
  told.created = true;
  told.offset = 10;
  keep(bench, told);
  EXPECT_FALSE(try_create(bench.store(), draft_for(bench, 5), "other"));
  EXPECT_FALSE(try_create(bench.store(), draft_for(bench, 5), "other", FakeLease(0)));
  (*made).reset();
  auto upload = try_open(bench.store(), "dir/a");
  if (!upload || !append_and_tell(bench, **upload, part(10, 60), told)) return told;
  told.finished = run((*upload)->finish_and_record(FakeLease(), never)).has_value();
  return told;
}

Told at_a_place(FileBench& bench, std::string place, std::string data) {
  Told told;
  told.place = std::move(data);
  auto draft = draft_for(bench, 60);
  draft.storage = {{"Path", std::move(place)}};
  auto made = try_create(bench.store(), std::move(draft), part(0, 10));
  if (!made) return told;
  told.created = true;
  told.offset = 10;
  auto upload = *std::move(made);
  if (!append_and_tell(bench, *upload, part(10, 30), told)) return told;
  keep(bench, told);
  if (!append_and_tell(bench, *upload, part(30, 60), told)) return told;
  told.finished = run(upload->finish_and_record(FakeLease(), never)).has_value();
  return told;
}

Told at_a_place_inside(FileBench& bench) {
  return at_a_place(bench, "some/deep/place/file", "some/deep/place/file");
}

Told at_a_place_outside(FileBench& bench) {
  auto place = bench.directory.path() / "far" / "away" / "file";
  return at_a_place(bench, place.string(), "../far/away/file");
}

// The upload changes in the middle of each sync of the background.
Told beside_the_background(FileBench& bench) {
  Told told;
  auto made = try_create(bench.store(), draft_for(bench, std::nullopt), part(0, 10));
  if (!made) return told;
  told.created = true;
  told.offset = 10;
  auto upload = *std::move(made);
  bool well = true;
  auto beside = [&](std::function<void()> action) {
    bool ran = false;
    auto once = [&] {
      if (!std::exchange(ran, true)) action();
    };
    if (bench.store().context().keeper) {
      bench.calls->during_sync(once);
      keep(bench, told);
      bench.calls->during_sync(nullptr);
    }
    once();
  };
  beside([&] { well = append_and_tell(bench, *upload, part(10, 20), told); });
  if (!well) return told;
  beside([&] { well = run(upload->declare_length(FakeLease(), 60, never)).has_value(); });
  if (!well) return told;
  if (!append_and_tell(bench, *upload, part(20, 60), told)) return told;
  beside([&] { told.finished = run(upload->finish_and_record(FakeLease(), never)).has_value(); });
  return told;
}

constexpr Life lives[] = {with_every_command, in_one_call,        created_again,
                          at_a_place_inside,  at_a_place_outside, beside_the_background};

void expect_finished(FileBench& bench, const std::string& place) {
  auto info = inspect(bench.store(), "dir/a");
  ASSERT_TRUE(info) << info.error().detail();
  EXPECT_TRUE(info->finished());
  EXPECT_EQ(bench.data(place), bytes);
}

// What has failed can be carried on with, and ends well.
void carry_on(FileBench& bench, const std::string& place = "dir/a") {
  auto upload = open(bench.store(), "dir/a");
  if (!upload->info().length) expect_ok(run(upload->declare_length(FakeLease(), 60, never)));
  auto outcome = append(*upload, bytes.substr(static_cast<std::size_t>(upload->info().offset)));
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.safe_offset, 60u);
  expect_ok(run(upload->finish_and_record(FakeLease(), never)));
  expect_finished(bench, place);
}

void expect_nothing_left(const FileBench& bench) {
  for (const auto& entry : fs::recursive_directory_iterator(bench.directory.path())) {
    EXPECT_FALSE(entry.is_regular_file()) << entry.path();
  }
}

void expect_true_bytes(const FileBench& bench, const Told& told, std::uint64_t offset) {
  EXPECT_LE(offset, 60u);
  auto kept = bench.data(told.place).substr(0, static_cast<std::size_t>(offset));
  EXPECT_EQ(kept, bytes.substr(0, kept.size())) << "zeros, stale or staged bytes";
  EXPECT_EQ(kept.size(), offset);
}

// What is there after a failure in a process that goes on or was started again.
void check(FileBench& bench, const Told& told) {
  auto info = inspect(bench.store(), "dir/a");
  if (!told.created) {
    expect_nothing_left(bench);
    expect_error(info, ErrorCode::upload_not_found);
    return;
  }
  ASSERT_TRUE(info) << info.error().detail();
  EXPECT_GE(info->offset, told.offset);
  if (told.finished) EXPECT_TRUE(info->finished());
  expect_true_bytes(bench, told, info->offset);
  if (!info->finished()) carry_on(bench, told.place);
}

void check_after_power_cut(FileBench& bench, const Told& told) {
  auto info = inspect(bench.store(), "dir/a");
  bool all = bench.options.fsync == FsyncPolicy::always || told.finished;
  auto promised = all ? told.offset : told.safe;
  if (!info) {
    expect_error(info, ErrorCode::upload_not_found);
    EXPECT_FALSE(told.created && (all || promised > 0));
    return;
  }
  // One that nobody was told of may be there too: its removal was not safe.
  EXPECT_GE(info->offset, promised);
  if (told.finished) EXPECT_TRUE(info->finished());
  expect_true_bytes(bench, told, info->offset);
  if (!info->finished()) carry_on(bench, told.place);
}

// Calls `check` after a life in which the n-th call has failed, for every n.
template <class Check>
void fail_each_call(FsyncPolicy fsync, int error, Check check_it) {
  for (std::size_t life = 0; life < std::size(lives); ++life) {
    SCOPED_TRACE("life " + std::to_string(life));
    for (int n = 1;; ++n) {
      FileBench bench(fsync);
      SCOPED_TRACE("call " + std::to_string(n));
      bench.calls->fail_call(n, error);
      auto told = lives[life](bench);
      bool failed = bench.calls->has_failed();
      bench.calls->fail_call(-1, 0);
      check_it(bench, told);
      if (::testing::Test::HasFailure()) return;
      if (!failed) {
        EXPECT_TRUE(told.finished);
        EXPECT_GT(n, 5);
        break;
      }
      ASSERT_LT(n, 300);
    }
  }
}

class Faults : public ::testing::TestWithParam<FsyncPolicy> {};

// [FILE-14] promises hold whichever system call fails.
TEST_P(Faults, leave_the_upload_true_in_this_process) {
  fail_each_call(GetParam(), EIO, check);
  fail_each_call(GetParam(), ENOSPC, check);
}

TEST_P(Faults, leave_the_upload_true_after_a_restart) {
  fail_each_call(GetParam(), EIO, [](FileBench& bench, const Told& told) {
    bench.restart();
    check(bench, told);
  });
}

TEST_P(Faults, leave_the_upload_true_after_a_power_cut) {
  if (GetParam() == FsyncPolicy::off) return;  // promises nothing there
  for (auto kind : power_cuts) {
    fail_each_call(GetParam(), EIO, [kind](FileBench& bench, const Told& told) {
      bench.cut_power(kind);
      check_after_power_cut(bench, told);
    });
  }
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
  EXPECT_TRUE(with_every_command(bench).finished);
  EXPECT_EQ(bench.data("dir/a"), bytes);
}

INSTANTIATE_TEST_SUITE_P(file_store, Faults,
                         ::testing::Values(FsyncPolicy::off, FsyncPolicy::finish,
                                           FsyncPolicy::always));

}  // namespace
}  // namespace tus::file_store::test
