#include "stores/file/file_test_kit.h"

#include <chrono>
#include <thread>

namespace tus::file_store::test {
namespace {

// System calls that copy within the kernel as the test says. What is counted and fails otherwise is FaultyCalls'.
class CopyingCalls final : public Syscalls {
 public:
  ssize_t copy_file_range(int from, off_t from_at, int to, off_t to_at,
                          std::size_t count) override {
    ++copies;
    if (error != 0 && copies > good_copies) {
      errno = error;
      return -1;
    }
    if (on_copy) on_copy();
    return Syscalls::copy_file_range(from, from_at, to, to_at, std::min(count, most));
  }
  ssize_t pwrite(int fd, const void* from, std::size_t count, off_t at) override {
    ++writes;
    return Syscalls::pwrite(fd, from, count, at);
  }
  int fdatasync(int) override {
    if (sync_error == 0) return 0;  // the disk of this machine is the test
    errno = sync_error;
    return -1;
  }
  int fsync(int) override { return 0; }
  int start_writeback(int, off_t, off_t) override { return 0; }

  int copies = 0;
  int writes = 0;
  int error = 0;        // of every copy
  int good_copies = 0;  // behind so many
  int sync_error = 0;
  std::size_t most = std::size_t{1} << 30;
  std::function<void()> on_copy;
};

struct Joins : ::testing::Test {
  explicit Joins(FsyncPolicy fsync = FsyncPolicy::finish) {
    options.fsync = fsync;
    options.directory = directory.path() / "up";
    start();
  }

  void start() {
    store.reset();
    Machine machine;
    machine.calls = calls;
    machine.boot_id = boot_id;
    machine.background_thread = false;
    auto context = make_context(options, std::move(machine), pool, clock, logger);
    if (!context) throw std::runtime_error(context.error().detail());
    store = std::make_unique<FileStore>(*std::move(context));
  }
  void part(const std::string& id, const std::string& bytes) {
    auto draft = draft_of(id, bytes.size());
    draft.is_partial = true;
    draft.finish = FinishState::finished;
    create(*store, std::move(draft), bytes);
  }
  std::unique_ptr<Upload> final_upload(std::uint64_t length, std::vector<std::string> parts) {
    auto draft = draft_of("f", length);
    draft.partial_uploads = std::move(parts);
    draft.finish = FinishState::pending;
    return create(*store, std::move(draft));
  }
  static Result<Joined> step(Upload& upload) {
    return run(upload.concatenate(FakeLease(), Deadline::at({})));
  }
  static void join(Upload& upload) {
    auto joined = run(upload.concatenate(FakeLease(), Deadline::never()));
    ASSERT_TRUE(joined) << joined.error().detail();
    EXPECT_EQ(*joined, Joined::wholly);
  }
  std::string data(const std::string& name) const { return read_file(options.directory / name); }
  bool has(const std::string& name) const {
    return std::filesystem::exists(options.directory / name);
  }
  InfoFile record() const { return *parse_info(data("f.info"), *UploadId::parse("f")); }

  tus::testing::TemporaryDirectory directory;
  FileStoreOptions options;
  std::shared_ptr<CopyingCalls> calls = std::make_shared<CopyingCalls>();
  std::shared_ptr<BlockingPool> pool = std::make_shared<tus::testing::InlinePool>();
  std::shared_ptr<tus::testing::ManualClock> clock = std::make_shared<tus::testing::ManualClock>();
  std::shared_ptr<Lines> logger = std::make_shared<Lines>();
  std::string boot_id = "boot";
  std::unique_ptr<FileStore> store;
};

struct UnsyncedJoins : Joins {
  UnsyncedJoins() : Joins(FsyncPolicy::off) {}
};

TEST_F(Joins, BytesDoNotPassThroughUs) {  // [FILE-50]
  part("a", pattern(300'000, 1));
  part("b", pattern(5, 2));
  auto upload = final_upload(600'005, {"a", "b", "a"});
  calls->copies = calls->writes = 0;
  join(*upload);
  EXPECT_EQ(calls->copies, 3);
  EXPECT_LE(calls->writes, 3) << "records, and nothing else";
  EXPECT_TRUE(data("f") == pattern(300'000, 1) + pattern(5, 2) + pattern(300'000, 1));
}

TEST_F(Joins, WhereTheKernelCannotCopyWeDo) {  // [FILE-50]
  part("a", pattern(300'000, 1));
  for (const int error : {EXDEV, EOPNOTSUPP, ENOSYS, EINVAL}) {
    calls->error = error;
    auto upload = final_upload(600'000, {"a", "a"});
    calls->writes = 0;
    join(*upload);
    EXPECT_GT(calls->writes, 2);
    EXPECT_TRUE(data("f") == pattern(300'000, 1) + pattern(300'000, 1)) << error;
    expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
  }
}

TEST_F(Joins, AShortCopyIsGoneOnWith) {  // [FILE-50]
  part("a", pattern(10'000, 1));
  calls->most = 777;
  auto upload = final_upload(20'000, {"a", "a"});
  join(*upload);
  EXPECT_TRUE(data("f") == pattern(10'000, 1) + pattern(10'000, 1));
}

TEST_F(Joins, JobsAreBounded) {  // [FILE-51]
  part("a", pattern(1000, 1));
  auto upload = final_upload(10'000, std::vector<std::string>(10, "a"));
  // Each copy takes 60 ms, and a job 100.
  calls->on_copy = [this] { clock->advance(std::chrono::milliseconds(60)); };
  calls->copies = 0;
  int steps = 0;
  for (;;) {
    const auto before = calls->copies;
    auto joined = step(*upload);
    ASSERT_TRUE(joined);
    EXPECT_LE(calls->copies - before, 2);
    if (*joined == Joined::wholly) break;
    ++steps;
  }
  EXPECT_EQ(steps, 5);
}

TEST_F(Joins, TheRecordSaysThatItIsPendingUntilTheBytesAreSafe) {  // [FILE-52]
  part("a", pattern(1000, 1));
  auto upload = final_upload(2000, {"a", "a"});
  EXPECT_TRUE(record().info.join_pending);
  EXPECT_EQ(record().info.partial_uploads, (std::vector<std::string>{"a", "a"}));
  EXPECT_TRUE(has(".tusd/joins/f"));
  calls->sync_error = EIO;
  auto joined = run(upload->concatenate(FakeLease(), Deadline::never()));
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code(), ErrorCode::store_unavailable);
  EXPECT_TRUE(record().info.join_pending);
  EXPECT_EQ(inspect(*store, "f")->offset, 0u);
  EXPECT_EQ(data("f"), "") << "what a failed sync leaves is not known";
  calls->sync_error = 0;
  join(*upload);
  EXPECT_FALSE(record().info.join_pending);
  EXPECT_EQ(record().durable->offset, 2000u);
  EXPECT_FALSE(has(".tusd/joins/f"));
  // And now a power cut before it is finished.
  upload.reset();
  boot_id = "another";
  start();
  EXPECT_EQ(inspect(*store, "f")->offset, 2000u);
  EXPECT_TRUE(inspect(*store, "f")->finishing());
}

TEST_F(Joins, TheKeeperDoesNotTakeAJoinedUploadBack) {  // [FILE-52]
  part("a", pattern(1000, 1));
  auto upload = final_upload(1000, {"a"});
  auto& keeper = *store->context().keeper;
  join(*upload);
  // It knows of an upload with no bytes.
  clock->advance(std::chrono::minutes(1));
  keeper.sync_due(clock->now());
  EXPECT_EQ(record().durable->offset, 1000u);
  expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));

  upload = final_upload(1000, {"a"});
  clock->advance(std::chrono::minutes(1));
  keeper.sync_due(clock->now());
  EXPECT_TRUE(record().info.join_pending) << "what it rewrites says so still";
  join(*upload);
  clock->advance(std::chrono::minutes(1));
  keeper.sync_due(clock->now());
  EXPECT_TRUE(keeper.sync_all(Deadline::never()));
  EXPECT_EQ(record().durable->offset, 1000u);
}

// A process that died has left the beginning; a power cut leaves anything.
TEST_F(Joins, GoesOnAfterAKillAndStartsOverAfterAPowerCut) {  // [FILE-53]
  part("a", pattern(20 << 20, 1));
  const auto whole = pattern(20 << 20, 1) + pattern(20 << 20, 1);
  auto upload = final_upload(whole.size(), {"a", "a"});
  calls->good_copies = calls->copies + 2;
  calls->error = EIO;
  ASSERT_FALSE(run(upload->concatenate(FakeLease(), Deadline::never())));
  EXPECT_EQ(data("f").size(), 20u << 20);
  upload.reset();
  calls->error = 0;
  start();
  calls->copies = 0;
  upload = open(*store, "f");
  EXPECT_EQ(upload->info().offset, 0u);
  join(*upload);
  EXPECT_EQ(calls->copies, 3) << "the last call again, and what was missing";
  EXPECT_TRUE(data("f") == whole);
  expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));

  upload = final_upload(whole.size(), {"a", "a"});
  calls->good_copies = calls->copies + 3;
  calls->error = EIO;
  ASSERT_FALSE(run(upload->concatenate(FakeLease(), Deadline::never())));
  upload.reset();
  const auto written = data("f").size();
  ASSERT_GT(written, 0u);
  write_file(options.directory / "f", std::string(written, '\0'));
  boot_id = "another";
  calls->error = 0;
  start();
  upload = open(*store, "f");
  join(*upload);
  EXPECT_TRUE(data("f") == whole);
}

TEST_F(Joins, AFullDiskIsNotKeptFull) {  // [FILE-54]
  part("a", pattern(1000, 1));
  auto upload = final_upload(3000, {"a", "a", "a"});
  calls->good_copies = calls->copies + 2;
  calls->error = ENOSPC;
  auto joined = run(upload->concatenate(FakeLease(), Deadline::never()));
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code(), ErrorCode::no_space);
  EXPECT_EQ(data("f"), "");
  EXPECT_TRUE(record().info.join_pending);
  calls->error = 0;
  join(*upload);
  EXPECT_TRUE(data("f") == pattern(1000, 1) + pattern(1000, 1) + pattern(1000, 1));
}

TEST_F(Joins, APartThatBecameShortIsDamage) {  // [FILE-54]
  part("a", pattern(1000, 1));
  auto upload = final_upload(2000, {"a", "a"});
  calls->on_copy = [this] { std::filesystem::resize_file(options.directory / "a", 10); };
  auto joined = run(upload->concatenate(FakeLease(), Deadline::never()));
  ASSERT_FALSE(joined);
  EXPECT_TRUE(record().info.join_pending);
  EXPECT_EQ(inspect(*store, "f")->offset, 0u);
}

TEST_F(Joins, ACleanStopLeavesAJoinAsItIs) {  // [FILE-53]
  part("a", pattern(20 << 20, 1));
  auto upload = final_upload(40 << 20, {"a", "a"});
  calls->good_copies = calls->copies + 2;
  calls->error = EIO;
  ASSERT_FALSE(run(upload->concatenate(FakeLease(), Deadline::never())));
  calls->error = 0;
  upload.reset();
  run(store->close(Deadline::never()));
  EXPECT_TRUE(record().info.join_pending);
  EXPECT_EQ(record().info.finish, FinishState::pending);
  EXPECT_EQ(data("f").size(), 20u << 20);
  start();
  join(*open(*store, "f"));
  EXPECT_EQ(inspect(*store, "f")->offset, 40u << 20);
}

TEST_F(Joins, ACleanStopLeavesAFinalUploadThatWaits) {  // [FILE-53]
  final_upload(3, {"later"}).reset();
  run(store->close(Deadline::never()));
  EXPECT_TRUE(record().info.join_pending);
  EXPECT_EQ(record().info.finish, FinishState::pending) << "nobody says so again before the join";
}

TEST_F(Joins, MarksOfNothingGoAway) {  // [FILE-55]
  auto upload = final_upload(0, {"a"});
  write_file(options.directory / ".tusd/joins/gone", "gone");
  write_file(options.directory / ".tusd/joins/young", "young");
  write_file(options.directory / ".tusd/joins/%deadbeef", "not an id /");
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(48);
  std::filesystem::last_write_time(options.directory / ".tusd/joins/gone", old);
  std::filesystem::last_write_time(options.directory / ".tusd/joins/f", old);
  auto ids = run(store->pending_joins(Deadline::never()));
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->size(), 2u);
  EXPECT_TRUE(has(".tusd/joins/f")) << "however old, it is pending";
  EXPECT_TRUE(has(".tusd/joins/young")) << "its upload may be about to be made";
  EXPECT_FALSE(has(".tusd/joins/gone"));
}

TEST_F(UnsyncedJoins, NothingIsSyncedThatIsNotPromised) {  // [FILE-52]
  part("a", pattern(1000, 1));
  calls->sync_error = EIO;
  auto upload = final_upload(1000, {"a"});
  join(*upload);
  EXPECT_TRUE(data("f") == pattern(1000, 1));
  EXPECT_FALSE(record().durable);
}

TEST(JoinRecords, SayWhatIsPending) {  // [FILE-52]
  InfoFile file;
  file.info.id = *UploadId::parse("f");
  file.info.length = 7;
  file.info.is_final = true;
  file.info.partial_uploads = {"a", "b/c"};
  file.info.raw_concat = "final;/files/a http://h/files/b/c";
  file.info.join_pending = true;
  file.join_boot_id = "boot \"1\"";
  auto again = parse_info(write_info(file), file.info.id);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->info.join_pending);
  EXPECT_EQ(again->join_boot_id, file.join_boot_id);
  EXPECT_EQ(again->info.partial_uploads, file.info.partial_uploads);
  EXPECT_EQ(again->info.raw_concat, file.info.raw_concat);
  EXPECT_EQ(counted_size(*again, 7, "boot"), 0u) << "also when all of its bytes are there";
  file.info.join_pending = false;
  EXPECT_EQ(write_info(file).find("Join"), std::string::npos);
  EXPECT_EQ(counted_size(*parse_info(write_info(file), file.info.id), 7, "boot"), 7u);
  // As Go leaves a join that it died in: not ours to go on with.
  auto go =
      parse_info(R"({"ID":"f","Size":7,"IsFinal":true,"PartialUploads":["a"]})", file.info.id);
  ASSERT_TRUE(go);
  EXPECT_FALSE(go->info.join_pending);
}

}  // namespace
}  // namespace tus::file_store::test
