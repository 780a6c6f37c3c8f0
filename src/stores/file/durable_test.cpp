// Power cuts: what is promised under each -fsync, and that nothing more is claimed.
#include "stores/file/durable.h"

#include "stores/file/file_test_kit.h"

#include <algorithm>

namespace tus::file_store::test {
namespace {

using namespace std::chrono_literals;

// [FILE-11] fsync=finish: an unfinished upload falls back to what was made safe.
TEST(durable, falls_back_to_the_safe_prefix) {
  FileBench bench(FsyncPolicy::finish);
  auto bytes = pattern(100);
  auto upload = create(bench.store(), draft_of("a", 100), bytes.substr(0, 10));
  EXPECT_EQ(mark_of(bench, "a"), "0");
  append(*upload, bytes.substr(10, 30));
  bench.clock->advance(29s);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(mark_of(bench, "a"), "0") << "not due yet";
  bench.clock->advance(1s);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(mark_of(bench, "a"), "40");
  append(*upload, bytes.substr(40, 20));
  upload.reset();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 60u);

  bench.cut_power();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 40u);
  upload = open(bench.store(), "a");
  append(*upload, bytes.substr(40, 50));
  EXPECT_EQ(bench.data("a"), bytes.substr(0, 90)) << "the old tail is cut off";
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 90u);
  bench.restart();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 90u) << "only a power cut takes back";
  bench.cut_power();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 40u);
}

// Also when nobody writes any more: the PATCH has ended, the upload object is gone.
TEST(durable, makes_idle_uploads_safe) {
  FileBench bench(FsyncPolicy::finish);
  create(bench.store(), draft_of("a", 100), "hello");
  create(bench.store(), draft_of("b", 100));
  bench.clock->advance(30s);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(mark_of(bench, "a"), "5");
  bench.calls->take_log();
  bench.clock->advance(30s);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_TRUE(bench.calls->take_log().empty()) << "once safe, no more work";
  bench.cut_power();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 5u);
  auto empty = inspect(bench.store(), "b");
  EXPECT_TRUE(!empty || empty->offset == 0) << "it had nothing to lose but its name";
}

// [FILE-32] nor does it matter that the process which wrote has been killed: recovery looks at every
// upload, and who looks sees that something is at risk.
TEST(durable, makes_safe_what_a_killed_process_has_left) {
  FileBench bench(FsyncPolicy::finish);
  auto bytes = pattern(100);
  for (const char* id : {"a", "b", "c"})
    create(bench.store(), draft_of(id, 100), bytes.substr(0, 50));
  bench.restart();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 50u);
  auto upload = open(bench.store(), "b");
  tus::testing::ScriptSource source(tus::testing::BodyScript::whole("x"));
  auto nothing = [](const UploadInfo&) { return std::optional<AppendRequest>(); };
  auto looked = run(bench.store().open_and_append(*UploadId::parse("c"), FakeLease(), source,
                                                  nothing, Deadline::never()));
  ASSERT_TRUE(looked);
  bench.clock->advance(30s);
  bench.keeper().sync_due(bench.clock->now());
  bench.cut_power();
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_EQ(inspect(bench.store(), id)->offset, 50u) << id;
    EXPECT_EQ(bench.data(id), bytes.substr(0, 50)) << id;
  }
}

TEST(durable, makes_a_fast_upload_safe_by_its_bytes) {
  FileBench bench(FsyncPolicy::finish);
  bench.options.durable_bytes = 1000;
  bench.restart();
  auto upload = create(bench.store(), draft_of("a", 10'000));
  append(*upload, pattern(999));
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(mark_of(bench, "a"), "0");
  append(*upload, "x");
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(mark_of(bench, "a"), "1000");
}

TEST(durable, makes_everything_safe_when_closed) {
  FileBench bench(FsyncPolicy::finish);
  create(bench.store(), draft_of("a", 100), "hello");
  auto upload = create(bench.store(), draft_of("b", 100), "hello");
  append(*upload, " world");
  run(bench.store().close(Deadline::never()));
  bench.cut_power();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 5u);
  EXPECT_EQ(inspect(bench.store(), "b")->offset, 11u);
}

// [FILE-12] fsync=finish: what is finished stays as it is.
TEST(durable, keeps_finished_uploads) {
  FileBench bench(FsyncPolicy::finish);
  auto bytes = pattern(100);
  auto draft = draft_of("a", 100);
  draft.finish = FinishState::pending;
  auto upload = create(bench.store(), std::move(draft), bytes.substr(0, 50));
  append(*upload, bytes.substr(50));
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  EXPECT_EQ(mark_of(bench, "a"), "none");
  draft = draft_of("b", 100);
  draft.finish = FinishState::finished;
  create(bench.store(), std::move(draft), bytes);
  bench.cut_power();
  for (const char* id : {"a", "b"}) {
    EXPECT_TRUE(inspect(bench.store(), id)->finished());
    EXPECT_EQ(bench.data(id), bytes);
  }
  bench.calls->take_log();
  bench.clock->advance(1h);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_TRUE(bench.calls->take_log().empty()) << "the keeper has forgotten them";
}

TEST(durable, never_counts_staged_bytes) {
  FileBench bench(FsyncPolicy::finish);
  auto upload = create(bench.store(), draft_of("a", 100), "hello");
  append_staged(*upload, " world");
  bench.clock->advance(30s);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(mark_of(bench, "a"), "5");
  expect_ok(run(upload->commit_staged(FakeLease(), Deadline::never())));
  EXPECT_EQ(mark_of(bench, "a"), "5") << "what the keeper wrote meanwhile is kept";
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 11u);
  bench.clock->advance(30s);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(mark_of(bench, "a"), "11");
}

TEST(durable, keeps_the_mark_through_other_changes) {
  FileBench bench(FsyncPolicy::finish);
  create(bench.store(), draft_of("a", std::nullopt), "hello");
  auto upload = open(bench.store(), "a");
  bench.clock->advance(30s);
  bench.keeper().sync_due(bench.clock->now());
  expect_ok(run(upload->declare_length(FakeLease(), 7, Deadline::never())));
  EXPECT_EQ(mark_of(bench, "a"), "5");
  bench.cut_power();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 5u);
  EXPECT_EQ(inspect(bench.store(), "a")->length, 7u);
}

TEST(durable, forgets_what_is_terminated) {
  FileBench bench(FsyncPolicy::finish);
  auto upload = create(bench.store(), draft_of("a", 100), "hello");
  expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
  auto by_hand = create(bench.store(), draft_of("b", 100), "hello");
  std::filesystem::remove(bench.path("b"));
  std::filesystem::remove(bench.path("b.info"));
  bench.clock->advance(30s);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_FALSE(std::filesystem::exists(bench.path("a.info")));
  EXPECT_FALSE(std::filesystem::exists(bench.path("b.info")));
}

// The long sync runs beside everything else; what happens meanwhile is not undone by its end.
TEST(durable, does_not_undo_what_happens_during_a_sync) {
  FileBench bench(FsyncPolicy::finish);
  auto bytes = pattern(60);
  auto sync = [&bench] {
    bench.clock->advance(30s);
    bench.keeper().sync_due(bench.clock->now());
  };
  create(bench.store(), draft_of("longer", 100), bytes.substr(0, 10));
  bench.calls->during_sync([&] { append(*open(bench.store(), "longer"), bytes.substr(10, 10)); });
  sync();
  EXPECT_EQ(mark_of(bench, "longer"), "10") << "the sync may have missed the rest";
  sync();
  EXPECT_EQ(mark_of(bench, "longer"), "20");

  create(bench.store(), draft_of("declared", std::nullopt), bytes.substr(0, 10));
  bench.calls->during_sync([&] {
    auto upload = open(bench.store(), "declared");
    expect_ok(run(upload->declare_length(FakeLease(), 60, Deadline::never())));
  });
  sync();
  EXPECT_EQ(mark_of(bench, "declared"), "10");
  EXPECT_EQ(inspect(bench.store(), "declared")->length, 60u);

  auto draft = draft_of("finished", 10);
  draft.finish = FinishState::pending;
  create(bench.store(), std::move(draft), bytes.substr(0, 10));
  bench.calls->during_sync([&] {
    auto upload = open(bench.store(), "finished");
    expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  });
  sync();
  EXPECT_EQ(mark_of(bench, "finished"), "none");
  EXPECT_TRUE(inspect(bench.store(), "finished")->finished());

  create(bench.store(), draft_of("again", 100), bytes);
  bench.calls->during_sync([&] {
    auto upload = open(bench.store(), "again");
    expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
    create(bench.store(), draft_of("again", 100), bytes);
  });
  sync();
  EXPECT_EQ(mark_of(bench, "again"), "0") << "these are the bytes of another upload";
}

// [FILE-35] the kernel tells of a lost write once, and then calls its pages clean. What a sync after that
// says is true only of bytes that were written again.
TEST(durable, writes_again_what_a_failed_sync_may_have_lost) {
  FileBench bench(FsyncPolicy::finish);
  auto bytes = pattern(600'000);
  auto draft = draft_of("a", bytes.size());
  draft.finish = FinishState::pending;
  auto upload = create(bench.store(), std::move(draft), bytes.substr(0, 1000));
  bench.clock->advance(30s);
  bench.calls->fail_next_sync(EIO);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(bench.logger->events, std::vector<std::string>{"DataSyncFailed a"});
  EXPECT_EQ(mark_of(bench, "a"), "1000");
  bench.cut_power();
  EXPECT_EQ(bench.data("a"), bytes.substr(0, 1000));

  upload = open(bench.store(), "a");
  bench.append_bytes(*upload, bytes.substr(1000));
  bench.calls->fail_next_sync(EIO);
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  upload.reset();
  bench.cut_power();
  EXPECT_TRUE(inspect(bench.store(), "a")->finished());
  EXPECT_EQ(bench.data("a"), bytes);

  bench.options.fsync = FsyncPolicy::always;
  bench.restart();
  upload = create(bench.store(), draft_of("b", 1000), bytes.substr(0, 100));
  bench.calls->fail_next_sync(EIO);
  EXPECT_EQ(bench.append_bytes(*upload, bytes.substr(100, 300)).safe_offset, 400u);
  upload.reset();
  bench.cut_power();
  EXPECT_EQ(bench.data("b"), bytes.substr(0, 400));
}

TEST(durable, does_not_trust_a_sync_after_two_failures) {
  FileBench bench(FsyncPolicy::finish);
  auto draft = draft_of("a", 5);
  draft.finish = FinishState::pending;
  create(bench.store(), std::move(draft));
  auto upload = open(bench.store(), "a");
  bench.append_bytes(*upload, "01234");
  bench.calls->fail_next_sync(EIO);
  bench.calls->fail_next_sync(EIO);
  EXPECT_FALSE(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  // The kernel has told all that it knows, also another object.
  upload = open(bench.store(), "a");
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  upload.reset();
  bench.cut_power();
  EXPECT_EQ(bench.data("a"), "01234");
}

TEST(durable, does_not_trust_a_sync_for_what_came_before_the_failure) {
  FileBench bench(FsyncPolicy::finish);
  auto bytes = pattern(60);
  auto draft = draft_of("a", 60);
  draft.finish = FinishState::pending;
  auto upload = create(bench.store(), std::move(draft), bytes.substr(0, 10));
  // Between the look at the record and the sync that fails, and takes them along.
  bench.calls->before_sync([&] { bench.append_bytes(*upload, bytes.substr(10, 30)); });
  bench.calls->fail_next_sync(EIO);
  bench.clock->advance(30s);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(mark_of(bench, "a"), "10") << "these were written again";
  bench.clock->advance(30s);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(mark_of(bench, "a"), "40");
  bench.calls->take_log();
  bench.append_bytes(*upload, bytes.substr(40));
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  auto log = bench.calls->take_log();
  EXPECT_EQ(std::ranges::count(log, "pread"), 0) << "no doubt is left";
  upload.reset();
  bench.cut_power();
  EXPECT_EQ(bench.data("a"), bytes);
}

// [FILE-36] an id may have another upload by now, when the files were removed by hand.
TEST(durable, knows_an_upload_from_the_one_before_it) {
  FileBench bench(FsyncPolicy::finish);
  auto bytes = pattern(100);
  create(bench.store(), draft_of("a", 100), bytes.substr(0, 60));
  bench.clock->advance(30s);
  bench.calls->during_sync([&] { append(*open(bench.store(), "a"), bytes.substr(60, 10)); });
  bench.keeper().sync_due(bench.clock->now());
  std::filesystem::remove(bench.path("a"));
  std::filesystem::remove(bench.path("a.info"));
  auto upload = create(bench.store(), draft_of("a", std::nullopt), bytes.substr(0, 20));
  bench.append_bytes(*upload, bytes.substr(20, 60));
  expect_ok(run(upload->declare_length(FakeLease(), 100, Deadline::never())));
  EXPECT_EQ(mark_of(bench, "a"), "0") << "of this one nothing is safe";
}

// [FILE-26] an empty upload has nothing at risk, and what is urgent does not wait behind the others.
TEST(durable, looks_first_at_what_has_most_at_risk) {
  FileBench bench(FsyncPolicy::finish);
  bench.options.durable_bytes = 1000;
  bench.restart();
  for (int i = 0; i < 50; ++i) create(bench.store(), draft_of("empty" + std::to_string(i), 5));
  create(bench.store(), draft_of("old", 5000), "x");
  bench.clock->advance(1s);
  for (int i = 0; i < 5; ++i) create(bench.store(), draft_of("new" + std::to_string(i), 5000), "x");
  auto fast = create(bench.store(), draft_of("fast", 5000));
  bench.clock->advance(30s);
  bench.calls->take_log();
  std::string order;
  std::function<void()> look = [&] {
    if (order.empty()) append(*fast, pattern(2000));  // becomes urgent in the middle of a round
    order += mark_of(bench, "old") + mark_of(bench, "fast") + ",";
    bench.calls->after("renameat", look);
  };
  bench.calls->after("renameat", look);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(order, "10,12000,12000,12000,12000,12000,12000,");
}

// [FILE-27] a stop waits neither for a round of the keeper nor beyond its deadline.
TEST(durable, ends_its_round_when_the_store_is_closed) {
  FileBench bench(FsyncPolicy::finish);
  for (int i = 0; i < 10; ++i) create(bench.store(), draft_of(std::to_string(i), 100), "hello");
  bench.clock->advance(30s);
  bench.calls->during_sync([&] {
    EXPECT_FALSE(bench.keeper().sync_all(Deadline::at(bench.clock->now() + 1ms))) << "out of time";
  });
  bench.keeper().sync_due(bench.clock->now());
  int marked = 0;
  for (int i = 0; i < 10; ++i) marked += mark_of(bench, std::to_string(i)) == "5" ? 1 : 0;
  EXPECT_EQ(marked, 1) << "the present upload, and no other";
  EXPECT_TRUE(bench.keeper().sync_all(Deadline::never()));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(mark_of(bench, std::to_string(i)), "5");
}

TEST(durable, tries_again_after_a_failure) {
  FileBench bench(FsyncPolicy::finish);
  create(bench.store(), draft_of("a", 100), "hello");
  bench.clock->advance(30s);
  for (int n = 1; mark_of(bench, "a") == "0"; ++n) {
    ASSERT_LT(n, 50);
    bench.calls->fail_call(n, EIO);
    bench.keeper().sync_due(bench.clock->now());
    bench.clock->advance(30s);
  }
  bench.calls->fail_call(-1, 0);
  bench.keeper().sync_due(bench.clock->now());
  EXPECT_EQ(mark_of(bench, "a"), "5");
}

// An upload that was begun under another policy, or by Go, gets its mark when it goes on.
TEST(durable, adopts_uploads_without_a_mark) {
  FileBench bench(FsyncPolicy::off);
  auto upload = create(bench.store(), draft_of("a", 100), "hello");
  append(*upload, " wor");
  upload.reset();
  EXPECT_EQ(mark_of(bench, "a"), "none");
  bench.options.fsync = FsyncPolicy::finish;
  bench.restart();
  upload = open(bench.store(), "a");
  append(*upload, "ld");
  EXPECT_EQ(mark_of(bench, "a"), "9");
  bench.cut_power();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 9u);

  bench.options.fsync = FsyncPolicy::off;
  bench.restart();
  upload = open(bench.store(), "a");
  EXPECT_EQ(append(*upload, "ld").safe_offset, 11u);
  bench.restart();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 11u) << "an old mark holds nothing back";
}

// [FILE-13] fsync=always: what was acknowledged survives, and nothing else is ever told.
TEST(durable, loses_nothing_that_was_acknowledged) {
  FileBench bench(FsyncPolicy::always);
  auto bytes = pattern(100);
  auto upload = create(bench.store(), draft_of("a", 100), bytes.substr(0, 10));
  EXPECT_EQ(mark_of(bench, "a"), "10 strict");
  EXPECT_EQ(append(*upload, bytes.substr(10, 20)).safe_offset, 30u);
  EXPECT_EQ(mark_of(bench, "a"), "30 strict");
  bench.cut_power();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 30u);
  EXPECT_EQ(bench.data("a"), bytes.substr(0, 30));
  // A body that stalls and then ends is made safe too.
  upload = open(bench.store(), "a");
  auto script = tus::testing::BodyScript::chunked(bytes.substr(30, 10), 4);
  script.end = BodyState::peer_closed;
  EXPECT_EQ(append(*upload, std::move(script)).safe_offset, 40u);
  EXPECT_EQ(mark_of(bench, "a"), "40 strict");
}

TEST(durable, a_termination_that_was_acknowledged_stays) {
  for (auto kind : power_cuts) {
    FileBench bench(FsyncPolicy::always);
    auto upload = create(bench.store(), draft_of("dir/a", 100), "hello");
    create(bench.store(), draft_of("dir/b", 100), "hello");
    expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
    upload.reset();
    bench.cut_power(kind);
    expect_error(inspect(bench.store(), "dir/a"), ErrorCode::upload_not_found);
    EXPECT_FALSE(std::filesystem::exists(bench.path("dir/a")));
    EXPECT_EQ(inspect(bench.store(), "dir/b")->offset, 5u);
  }
}

// Whoever replaces a record holds its guard, so that nobody else's change is lost between reading and writing.
TEST(durable, replaces_no_record_without_its_guard) {
  FileBench bench(FsyncPolicy::finish);
  int looks = 0;
  std::function<void()> look = [&] {
    ++looks;
    EXPECT_TRUE(is_guarded(bench)) << looks;
    bench.calls->after("renameat", look);
  };
  auto upload = create(bench.store(), draft_of("a", std::nullopt), "hello");
  bench.calls->after("renameat", look);
  EXPECT_TRUE(bench.keeper().sync_all(Deadline::never()));
  append_staged(*upload, "x");
  expect_ok(run(upload->rollback_staged(FakeLease(), Deadline::never())));
  expect_ok(run(upload->declare_length(FakeLease(), 5, Deadline::never())));
  upload.reset();
  bench.close();
  upload = open(bench.store(), "a");
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  EXPECT_GE(looks, 5);
}

TEST(durable, tells_no_offset_that_was_not_synced) {
  FileBench bench(FsyncPolicy::always);
  auto bytes = pattern(100);
  auto upload = create(bench.store(), draft_of("a", 100), bytes.substr(0, 10));
  bench.calls->take_log();
  for (int n = 1;; ++n) {
    bench.calls->fail_call(n, EIO);
    auto outcome = bench.append_bytes(*upload, bytes.substr(10));
    bench.calls->fail_call(-1, 0);
    if (!outcome.error) break;
    ASSERT_LT(n, 50);
    EXPECT_EQ(outcome.safe_offset, 10u) << n;
    // The last sync is that of the directory: then the record is already there, and true.
    auto told = inspect(bench.store(), "a")->offset;
    EXPECT_TRUE(told == 10u || mark_of(bench, "a") == "100 strict") << n;
    upload = open(bench.store(), "a");
    if (told == 100u) break;
  }
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 100u);
  bench.cut_power();
  EXPECT_EQ(bench.data("a"), bytes);
}

// The thread does what sync_due() does.
TEST(durable, works_in_the_background) {
  tus::testing::TemporaryDirectory directory;
  FileStoreOptions options;
  options.directory = directory.path();
  options.durable_interval = 20ms;
  auto store = make_file_store(options, std::make_shared<tus::testing::InlinePool>(),
                               std::make_shared<SystemClock>(), std::make_shared<NoLogger>());
  ASSERT_TRUE(store);
  create(**store, draft_of("a", 100), "hello");
  auto end = std::chrono::steady_clock::now() + 20s;
  std::string mark = "0";
  while (mark == "0" && std::chrono::steady_clock::now() < end) {
    auto file = parse_info(read_file(directory.path() / "a.info"), *UploadId::parse("a"));
    if (file && file->durable) mark = std::to_string(file->durable->offset);
    std::this_thread::yield();
  }
  EXPECT_EQ(mark, "5");
}

}  // namespace
}  // namespace tus::file_store::test
