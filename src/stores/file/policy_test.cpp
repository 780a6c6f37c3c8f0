// What one policy, one boot or one server leaves in a record, and another one finds there.
#include "stores/file/file_test_kit.h"

namespace tus::file_store::test {
namespace {

using namespace std::chrono_literals;

const auto never = Deadline::never();

UploadDraft pending_draft(std::string_view id, std::optional<std::uint64_t> length) {
  auto draft = draft_of(id, length);
  draft.finish = FinishState::pending;
  return draft;
}

// [FILE-30] an upload that is finished under `off` stays finished, whatever mark it began with.
TEST(policy, finished_stays_finished_when_the_policy_changes) {
  for (auto before : {FsyncPolicy::finish, FsyncPolicy::always}) {
    FileBench bench(before);
    append(*create(bench.store(), pending_draft("a", 10)), "01234");
    bench.options.fsync = FsyncPolicy::off;
    bench.restart();
    auto upload = open(bench.store(), "a");
    EXPECT_EQ(append(*upload, "56789").safe_offset, 10u);
    EXPECT_EQ(mark_of(bench, "a"), "none");
    expect_ok(run(upload->finish_and_record(FakeLease(), never)));
    upload.reset();
    bench.other_boot();
    EXPECT_TRUE(inspect(bench.store(), "a")->finished());
    EXPECT_EQ(inspect(bench.store(), "a")->offset, 10u);
  }
}

TEST(policy, a_finished_record_has_no_mark) {
  FileBench bench(FsyncPolicy::finish);
  append(*create(bench.store(), pending_draft("a", 5)), "01234");
  auto upload = open(bench.store(), "a");
  expect_ok(run(upload->finish(FakeLease(), never)));
  upload = open(bench.store(), "a");
  expect_ok(run(upload->set_finish_state(FakeLease(), FinishState::finished, never)));
  EXPECT_EQ(mark_of(bench, "a"), "none") << "also when another object has finished it";
}

}  // namespace
}  // namespace tus::file_store::test
