// What one policy, one boot or one server leaves in a record, and another one finds there.
#include "stores/file/file_test_kit.h"

namespace tus::file_store::test {
namespace {

using namespace std::chrono_literals;

const auto never = Deadline::never();

FinishState finish_of(const FileBench& bench, const std::string& id) {
  auto file = parse_info(bench.data(id + ".info"), *UploadId::parse(id));
  return file ? file->info.finish : FinishState::abandoned;
}

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

Awaitable<void> append_from(Upload& upload, BodySource& source, AppendOutcome& outcome) {
  outcome = co_await upload.append(FakeLease(), source, AppendRequest(upload.info().offset), never);
}

// [FILE-38] `always` does not keep less of a long append than the others when the process is killed.
TEST(policy, always_keeps_what_a_long_append_has_brought) {
  for (auto [most, interval] :
       {std::pair{1000u, std::chrono::minutes(60)}, std::pair{1u << 30, 30min}}) {
    FileBench bench(FsyncPolicy::always);
    bench.options.durable_bytes = most;
    bench.options.durable_interval = interval;
    bench.restart();
    auto bytes = pattern(3000);
    auto upload = create(bench.store(), draft_of("a", 3000));
    auto script = tus::testing::BodyScript::chunked(bytes, 500);
    script.hold_before = 4;
    FaultySource source(std::move(script), *bench.calls);
    AppendOutcome outcome;
    tus::testing::TestLoop loop;
    loop.spawn(append_from(*upload, source, outcome));
    int writes = 0;
    std::function<void()> late = [&] {
      if (++writes == 3) bench.clock->advance(30min);
      bench.calls->after("pwrite", late);
    };
    bench.calls->after("pwrite", late);
    loop.run_until_idle();
    // Here a kill would leave this:
    auto kept = most == 1000u ? 2000u : 1500u;
    EXPECT_EQ(inspect(bench.store(), "a")->offset, kept);
    EXPECT_EQ(mark_of(bench, "a"), std::to_string(kept) + " strict");
    source.release();
    loop.run();
    EXPECT_EQ(outcome.safe_offset, 3000u);
    upload.reset();
    bench.cut_power();
    EXPECT_EQ(bench.data("a"), bytes);
  }
}

// What Go's tusd does to an upload that it goes on with: it appends, and leaves the record alone.
void append_as_go(const FileBench& bench, const std::string& id, std::string_view bytes) {
  std::ofstream(bench.path(id), std::ios::binary | std::ios::app) << bytes;
}

class Handover : public ::testing::TestWithParam<FsyncPolicy> {};

// [FILE-31] ours, Go's, ours: nothing that was acknowledged is taken back, also not after another boot.
TEST_P(Handover, keeps_what_go_has_acknowledged) {
  FileBench bench(GetParam());
  append(*create(bench.store(), pending_draft("a", 10)), "01234");
  append(*create(bench.store(), pending_draft("dir/b", 10)), "01");
  append(*create(bench.store(), pending_draft("c", std::nullopt)), "0123");
  bench.stop();
  for (const char* id : {"a", "dir/b", "c"}) {
    EXPECT_EQ(mark_of(bench, id), "none");
    EXPECT_EQ(finish_of(bench, id), FinishState::derived);
  }
  append_as_go(bench, "a", "56789");
  append_as_go(bench, "dir/b", "234");
  bench.other_boot();
  EXPECT_TRUE(inspect(bench.store(), "a")->finished()) << "and no hook runs again";
  EXPECT_EQ(inspect(bench.store(), "dir/b")->offset, 5u);
  auto upload = open(bench.store(), "dir/b");
  EXPECT_EQ(append(*upload, "56789").safe_offset, 10u);
  EXPECT_EQ(bench.data("dir/b"), "0123456789");
}

TEST_P(Handover, keeps_a_finish_that_is_due) {
  FileBench bench(GetParam());
  append(*create(bench.store(), pending_draft("a", 5)), "01234");
  bench.stop();
  EXPECT_EQ(finish_of(bench, "a"), FinishState::pending);
  bench.restart();
  EXPECT_TRUE(inspect(bench.store(), "a")->finishing());
}

// The process before was killed, and this one has only looked.
TEST_P(Handover, cleans_what_a_killed_process_has_left) {
  FileBench bench(GetParam());
  append(*create(bench.store(), pending_draft("a", 10)), "01234");
  bench.restart();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 5u);
  bench.stop();
  EXPECT_EQ(finish_of(bench, "a"), FinishState::derived);
  EXPECT_EQ(mark_of(bench, "a"), "none");
}

TEST_P(Handover, cuts_off_what_was_staged) {
  FileBench bench(GetParam());
  auto upload = create(bench.store(), pending_draft("a", 10), "01234");
  append_staged(*upload, "xyz");
  upload.reset();
  bench.stop();
  EXPECT_EQ(bench.data("a"), "01234") << "it would count for Go's tusd";
  bench.restart();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 5u);
}

TEST_P(Handover, leaves_alone_what_another_process_writes) {
  FileBench bench(GetParam());
  create(bench.store(), pending_draft("a", 10), "01234");
  append_as_go(bench, "a", "5");
  bench.stop();
  EXPECT_EQ(finish_of(bench, "a"), FinishState::pending);
}

TEST_P(Handover, survives_a_power_cut) {
  if (GetParam() == FsyncPolicy::off) return;  // promises nothing there
  FileBench bench(GetParam());
  append(*create(bench.store(), pending_draft("dir/a", 10)), "01234");
  bench.stop();
  bench.cut_power();
  EXPECT_EQ(finish_of(bench, "dir/a"), FinishState::derived);
  EXPECT_EQ(inspect(bench.store(), "dir/a")->offset, 5u);
}

// Each call of a clean stop fails once: what is left is true.
TEST_P(Handover, fails_safely) {
  for (int n = 1;; ++n) {
    FileBench bench(GetParam());
    SCOPED_TRACE("call " + std::to_string(n));
    append(*create(bench.store(), pending_draft("dir/a", 10)), "01234");
    bench.calls->fail_call(n, EIO);
    bench.close();
    bool failed = bench.calls->has_failed();
    bench.calls->fail_call(-1, 0);
    bench.restart();
    EXPECT_EQ(inspect(bench.store(), "dir/a")->offset, 5u);
    if (GetParam() != FsyncPolicy::off) {
      bench.cut_power();
      auto info = inspect(bench.store(), "dir/a");
      // Of an upload that a sync has not made safe, the names may be lost too.
      if (!info && failed && GetParam() == FsyncPolicy::finish) continue;
      ASSERT_TRUE(info);
      EXPECT_EQ(bench.data("dir/a").substr(0, info->offset), std::string("01234", info->offset));
      if (!failed) EXPECT_EQ(info->offset, 5u);
    }
    if (!failed) break;
    ASSERT_LT(n, 60);
  }
}

TEST_P(Handover, ends_at_its_deadline) {
  FileBench bench(GetParam());
  append(*create(bench.store(), pending_draft("a", 10)), "01234");
  run(bench.store().close(Deadline::at(bench.clock->now())));
  EXPECT_EQ(finish_of(bench, "a"), FinishState::pending);
}

INSTANTIATE_TEST_SUITE_P(policy, Handover,
                         ::testing::Values(FsyncPolicy::off, FsyncPolicy::finish,
                                           FsyncPolicy::always));

// Beyond its bound the rest keeps what it says, and the log says so once.
TEST(handover, is_bounded) {
  FileBench bench(FsyncPolicy::finish);
  auto lines = std::make_shared<Lines>();
  auto& context = bench.store().context();
  file_store::Handover handover(context.records, context.layout, FsyncPolicy::off, *bench.clock,
                                lines, 2);
  for (const char* id : {"a", "b", "c", "d"}) {
    create(bench.store(), pending_draft(id, 10), "01234");
    std::array<std::byte, 64 << 10> scratch;
    handover.seen(*context.records.load(*UploadId::parse(id), scratch));
  }
  std::vector<std::byte> scratch(64 << 10);
  handover.clean(never, scratch);
  EXPECT_EQ(finish_of(bench, "b"), FinishState::derived);
  EXPECT_EQ(finish_of(bench, "c"), FinishState::pending);
  EXPECT_EQ(lines->events, std::vector<std::string>{"MarksStayAtExit"});
}

}  // namespace
}  // namespace tus::file_store::test
