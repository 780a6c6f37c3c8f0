#include "stores/file/file_store.h"

#include "stores/file/file_test_kit.h"

#include <atomic>
#include <set>
#include <sys/stat.h>

namespace tus::file_store::test {
namespace {

using tus::testing::BodyScript;
namespace fs = std::filesystem;

std::set<std::string> files_in(const fs::path& root) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    auto name = fs::relative(entry.path(), root).string();
    if (entry.is_regular_file()) names.insert(name);
  }
  return names;
}

mode_t mode_of(const fs::path& path) {
  struct stat found;
  return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

// [FILE-06] files as Go's tusd lays them out, and nothing else.
TEST(file_store, lays_files_out_as_go_does) {
  FileBench bench;
  auto draft = draft_of("abc", 11);
  draft.metadata = {{"filename", "x.txt"}};
  draft.raw_metadata = "filename eC50eHQ=";
  auto upload = create(bench.store(), std::move(draft), "hello");
  append(*upload, " world");
  EXPECT_EQ(files_in(bench.options.directory), (std::set<std::string>{"abc", "abc.info"}));
  EXPECT_EQ(bench.data("abc"), "hello world");
  auto root = fs::absolute(bench.options.directory).string();
  EXPECT_EQ(
      bench.data("abc.info"),
      R"({"ID":"abc","Size":11,"SizeIsDeferred":false,"Offset":0,"MetaData":{"filename":"x.txt"},)"
      R"("IsPartial":false,"IsFinal":false,"PartialUploads":null,"Storage":{"InfoPath":")" +
          root + R"(/abc.info","Path":")" + root + R"(/abc","Type":"filestore"}})");
}

TEST(file_store, makes_directories_for_slashes) {
  FileBench bench;
  create(bench.store(), draft_of("a/b/c", 3), "xyz");
  create(bench.store(), draft_of("a/d", 3), "xy");
  EXPECT_EQ(bench.data("a/b/c"), "xyz");
  EXPECT_EQ(files_in(bench.options.directory),
            (std::set<std::string>{"a/b/c", "a/b/c.info", "a/d", "a/d.info"}));
  // An upload is not a directory, and a directory is not an upload.
  EXPECT_FALSE(try_create(bench.store(), draft_of("a/d/e", 3)));
  expect_error(inspect(bench.store(), "a/b"), ErrorCode::upload_not_found);
}

TEST(file_store, uses_the_permissions_it_was_given) {
  auto old = ::umask(0);
  FileBench bench;
  bench.options.dir_perms = 0750;
  bench.options.file_perms = 0640;
  bench.restart();
  create(bench.store(), draft_of("sub/a", 3), "xyz");
  auto upload = open(bench.store(), "sub/a");
  EXPECT_EQ(mode_of(bench.path("sub/a")), 0640u);
  EXPECT_EQ(mode_of(bench.path("sub/a.info")), 0640u);
  EXPECT_EQ(mode_of(bench.path("sub")), 0750u);
  expect_ok(run(upload->declare_length(FakeLease(), 4, Deadline::never())));
  EXPECT_EQ(mode_of(bench.path("sub/a.info")), 0640u) << "also after a rewrite";
  ::umask(old);
}

// [FILE-01] an upload that Go's tusd began goes on.
TEST(file_store, goes_on_with_an_upload_of_go) {
  FileBench bench;
  write_file(bench.path("go"), "hello");
  write_file(bench.path("go.info"),
             R"({"ID":"go","Size":11,"SizeIsDeferred":false,"Offset":0,"MetaData":{"a":"b"},)"
             R"("IsPartial":false,"IsFinal":false,"PartialUploads":null,"Storage":{"InfoPath":")" +
                 bench.path("go.info").string() + R"(","Path":")" + bench.path("go").string() +
                 R"(","Type":"filestore"}})");
  auto upload = open(bench.store(), "go");
  EXPECT_EQ(upload->info().offset, 5u);
  EXPECT_EQ(upload->info().raw_metadata, "a Yg==");
  EXPECT_EQ(append(*upload, " world").safe_offset, 11u);
  EXPECT_TRUE(inspect(bench.store(), "go")->finished());
}

TEST(file_store, finds_uploads_whose_directory_was_moved) {
  FileBench bench;
  create(bench.store(), draft_of("a", 11), "hello");
  auto moved = bench.directory.path() / "elsewhere";
  fs::rename(bench.options.directory, moved);
  bench.options.directory = moved;
  bench.restart();
  auto upload = open(bench.store(), "a");
  EXPECT_EQ(upload->info().offset, 5u);
  append(*upload, " world");
  EXPECT_EQ(bench.data("a"), "hello world");
  expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
  EXPECT_EQ(files_in(moved), (std::set<std::string>{".tusd/records.lock"}));
}

// [FILE-34] a copy is a directory of its own, although its records name the files of the old one.
TEST(file_store, keeps_to_the_copy_of_a_directory) {
  FileBench bench;
  create(bench.store(), draft_of("dir/a", 11), "hello");
  auto chosen = draft_of("b", 11);
  chosen.storage = {{"Path", (bench.directory.path() / "far" / "b").string()},
                    {"InfoPath", (bench.directory.path() / "far" / "b.info").string()}};
  create(bench.store(), chosen, "hello");
  auto old = bench.options.directory;
  bench.options.directory = bench.directory.path() / "copy";
  fs::copy(old, bench.options.directory, fs::copy_options::recursive);
  bench.restart();
  append(*open(bench.store(), "dir/a"), " world");
  EXPECT_EQ(bench.data("dir/a"), "hello world");
  EXPECT_EQ(read_file(old / "dir/a"), "hello");
  expect_ok(run(open(bench.store(), "dir/a")->terminate(FakeLease(), Deadline::never())));
  EXPECT_TRUE(fs::exists(old / "dir/a"));
  append(*open(bench.store(), "b"), " world");
  EXPECT_EQ(read_file(bench.directory.path() / "far" / "b"), "hello world") << "a hook chose it";
}

// [FILE-04] damage is reported as such, and harms no other upload.
TEST(file_store, reports_damage) {
  FileBench bench;
  create(bench.store(), draft_of("good", 3), "xyz");
  for (std::string_view text : {"{}", "garbage", R"({"Size":2})"}) {
    write_file(bench.path("bad"), "12345");
    write_file(bench.path("bad.info"), text);
    expect_error(inspect(bench.store(), "bad"), ErrorCode::upload_damaged);
    expect_error(try_open(bench.store(), "bad"), ErrorCode::upload_damaged);
  }
  EXPECT_EQ(inspect(bench.store(), "good")->offset, 3u);
}

// What a power cut leaves of a creation that promised nothing. The id is free for whoever holds its lock.
TEST(file_store, takes_an_empty_record_for_none) {
  for (const auto& text : {std::string(), std::string(4096, '\0')}) {
    FileBench bench;
    create(bench.store(), draft_of("good", 3), "xyz");
    write_file(bench.path("a.info"), text);
    write_file(bench.path("a"), "12345");
    write_file(bench.path("b.info"), text);
    write_file(bench.path("b"), "");
    write_file(bench.path("c.info"), text);
    for (const char* id : {"a", "b", "c"}) {
      for (int i = 0; i < 3; ++i) {
        expect_error(inspect(bench.store(), id), ErrorCode::upload_not_found);
        expect_error(try_open(bench.store(), id), ErrorCode::upload_not_found);
      }
    }
    std::ranges::sort(bench.logger->events);
    EXPECT_EQ(bench.logger->events,
              (std::vector<std::string>{"EmptyRecordIgnored a", "EmptyRecordIgnored b",
                                        "EmptyRecordIgnored c"}))
        << "once for each";
    for (const char* id : {"b", "c"}) {
      expect_error(try_create(bench.store(), draft_of(id, 3), "xyz", FakeLease(0)),
                   ErrorCode::upload_exists);
      create(bench.store(), draft_of(id, 3), "xyz");
      EXPECT_EQ(inspect(bench.store(), id)->offset, 3u);
    }
    expect_error(try_create(bench.store(), draft_of("a", 3), "xyz"), ErrorCode::upload_exists);
    EXPECT_EQ(bench.data("a"), "12345") << "bytes are not taken";
    EXPECT_EQ(inspect(bench.store(), "good")->offset, 3u);
  }
}

TEST(file_store, reads_a_record_larger_than_a_buffer) {
  FileBench bench;
  auto draft = draft_of("a", 3);
  draft.raw_metadata = "k " + std::string(200'000, 'A');
  create(bench.store(), draft, "xyz");
  EXPECT_EQ(inspect(bench.store(), "a")->raw_metadata, draft.raw_metadata);
}

// [FILE-07] no way out of the directory by a symbolic link.
TEST(file_store, follows_no_symbolic_links) {
  FileBench bench;
  auto outside = bench.directory.path() / "outside";
  write_file(outside / "a", "secret");
  write_file(outside / "a.info", R"({"Size":100})");
  fs::create_directory_symlink(outside, bench.path("link"));
  fs::create_symlink(outside / "a", bench.path("b"));
  fs::create_symlink(outside / "a.info", bench.path("b.info"));
  write_file(bench.path("c.info"), R"({"Size":100})");
  fs::create_symlink(outside / "a", bench.path("c"));
  expect_error(inspect(bench.store(), "link/a"), ErrorCode::upload_not_found);
  expect_error(inspect(bench.store(), "b"), ErrorCode::upload_not_found);
  EXPECT_FALSE(inspect(bench.store(), "c"));
  EXPECT_FALSE(try_create(bench.store(), draft_of("link/new", 3), "xyz"));
  EXPECT_FALSE(fs::exists(outside / "new"));
  EXPECT_EQ(read_file(outside / "a"), "secret");
}

// [FILE-08] Storage.Path as a hook may choose it.
TEST(file_store, puts_data_where_a_hook_wants_it) {
  FileBench bench;
  auto relative = draft_of("rel", 8);
  relative.storage = {{"Path", "some/./place/file.bin"}, {"Region", "x"}};
  append(*create(bench.store(), relative, "1234"), "5678");
  EXPECT_EQ(bench.data("some/place/file.bin"), "12345678");
  EXPECT_FALSE(fs::exists(bench.path("rel")));

  auto absolute = draft_of("abs", 8);
  auto place = bench.directory.path() / "far" / "away";
  absolute.storage = {{"Path", place.string()}};
  create(bench.store(), absolute, "1234");
  bench.restart();
  auto upload = open(bench.store(), "abs");
  EXPECT_EQ(upload->info().storage.at("Path"), place.string());
  append(*upload, "5678");
  EXPECT_EQ(read_file(place), "12345678");
  expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
  EXPECT_FALSE(fs::exists(place));

  for (std::string path : {"../out", "a/../../out", ".", "dir/", ".tusd/x", ".."}) {
    auto draft = draft_of("out", 8);
    draft.storage = {{"Path", path}};
    expect_error(try_create(bench.store(), draft, "1234"), ErrorCode::internal);
  }
  EXPECT_FALSE(fs::exists(bench.directory.path() / "out"));
}

// [FILE-21] a look that fails says nothing about where the data is.
TEST(file_store, takes_no_failure_for_another_place) {
  for (int n = 1;; ++n) {
    FileBench bench;
    SCOPED_TRACE("call " + std::to_string(n));
    auto draft = draft_of("a", 8);
    draft.storage = {{"Path", "place/file.bin"}};
    auto upload = create(bench.store(), draft, "1234");
    bench.calls->fail_call(n, EIO);
    auto outcome = bench.append_bytes(*upload, "5678");
    bool failed = bench.calls->has_failed();
    bench.calls->fail_call(-1, 0);
    if (outcome.error) {
      EXPECT_TRUE(*outcome.error == ErrorCode::store_unavailable) << "not gone";
      EXPECT_EQ(inspect(bench.store(), "a")->offset, 4u);
    }
    bench.calls->fail_call(n, EIO);
    auto done = run(upload->terminate(FakeLease(), Deadline::never()));
    bench.calls->fail_call(-1, 0);
    EXPECT_EQ(fs::exists(bench.path("place/file.bin")) && done, false)
        << "data that nobody knows of";
    if (!failed) break;
    ASSERT_LT(n, 30);
  }
}

// A Go program with filestore.New("../x") writes such paths.
TEST(file_store, falls_back_from_a_path_that_leaves_the_directory) {
  FileBench bench;
  write_file(bench.path("go"), "hello");
  write_file(bench.path("go.info"),
             R"({"ID":"go","Size":11,"Storage":{"Path":"../x/go","Type":"filestore"}})");
  auto upload = open(bench.store(), "go");
  EXPECT_EQ(append(*upload, " world").safe_offset, 11u);
  EXPECT_EQ(bench.data("go"), "hello world");
}

TEST(file_store, never_overwrites_a_file_that_a_hook_names) {
  FileBench bench;
  write_file(bench.path("precious"), "bytes");
  auto draft = draft_of("a", 8);
  draft.storage = {{"Path", "precious"}};
  expect_error(try_create(bench.store(), draft, "1234"), ErrorCode::upload_exists);
  EXPECT_EQ(bench.data("precious"), "bytes");
}

// [FILE-09] what a crash in the middle of a creation or a termination leaves is no upload, and is in
// nobody's way who holds the lock of the id.
TEST(file_store, takes_over_what_a_crash_left) {
  FileBench bench;
  write_file(bench.path("a"), "");
  expect_error(inspect(bench.store(), "a"), ErrorCode::upload_not_found);
  expect_error(try_create(bench.store(), draft_of("a", 8), "1234", FakeLease(0)),
               ErrorCode::upload_exists);
  create(bench.store(), draft_of("a", 8), "1234");
  EXPECT_EQ(bench.data("a"), "1234");

  fs::remove(bench.path("a"));
  expect_error(inspect(bench.store(), "a"), ErrorCode::upload_not_found);
  expect_error(try_create(bench.store(), draft_of("a", 4), "1234", FakeLease(0)),
               ErrorCode::upload_exists);
  EXPECT_FALSE(fs::exists(bench.path("a")));
  create(bench.store(), draft_of("a", 4), "5678");
  EXPECT_EQ(inspect(bench.store(), "a")->length, 4u);
}

// [FILE-33] a creation never takes bytes away: not those of an upload whose data a hook has put there, not
// those of an operator, and not because the disk does not answer.
TEST(file_store, takes_no_bytes_from_others) {
  FileBench bench;
  auto draft = draft_of("x", 8);
  draft.storage = {{"Path", "y"}};
  create(bench.store(), draft, "1234");
  expect_error(try_create(bench.store(), draft_of("y", 8), "5678"), ErrorCode::upload_exists);
  write_file(bench.path("notes.txt"), "precious");
  expect_error(try_create(bench.store(), draft_of("notes.txt", 8)), ErrorCode::upload_exists);
  EXPECT_EQ(bench.data("y"), "1234");
  EXPECT_EQ(bench.data("notes.txt"), "precious");

  create(bench.store(), draft_of("a", 8), "1234");
  for (int n = 1; n < 20; ++n) {
    for (int error : {EIO, EMFILE, ENOENT}) {
      bench.calls->fail_call(n, error);
      EXPECT_FALSE(try_create(bench.store(), draft_of("a", 8), "5678"));
      bench.calls->fail_call(-1, 0);
      ASSERT_EQ(bench.data("a"), "1234") << n;
      EXPECT_EQ(inspect(bench.store(), "a")->offset, 4u);
    }
  }
}

// [FILE-22] what is committed is what the last staged append brought.
TEST(file_store, commits_nothing_of_an_earlier_staged_append) {
  FileBench bench;
  auto upload = create(bench.store(), draft_of("a", 10), "12");
  append_staged(*upload, "WRONG");
  append_staged(*upload, "");
  expect_ok(run(upload->commit_staged(FakeLease(), Deadline::never())));
  EXPECT_EQ(upload->info().offset, 2u);
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 2u);
  append_staged(*upload, "345");
  expect_ok(run(upload->commit_staged(FakeLease(), Deadline::never())));
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 5u);
  append(*upload, "67890");
  EXPECT_EQ(bench.data("a"), "1234567890");
}

// [FILE-23] who looks without a lock meets every change at every moment, and counts no staged byte.
TEST(file_store, counts_no_staged_byte_of_an_append_that_begins_meanwhile) {
  FileBench bench;
  auto upload = create(bench.store(), draft_of("a", 10), "12");
  // Between the look at the record and the look at the data.
  bench.calls->after("pread", [&] { append_staged(*upload, "WRONG"); });
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 2u);
  bench.calls->after("pread", [&] {
    expect_ok(run(upload->rollback_staged(FakeLease(), Deadline::never())));
    append_staged(*upload, "3");
    expect_ok(run(upload->commit_staged(FakeLease(), Deadline::never())));
    append(*upload, "45");
  });
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 5u);
  bench.calls->after("pread", [&] {
    expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
    create(bench.store(), draft_of("a", std::nullopt), "1234567");
  });
  EXPECT_EQ(inspect(bench.store(), "a")->length, std::nullopt);
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 7u);
}

TEST(file_store, gives_up_on_a_record_that_never_stays) {
  FileBench bench;
  auto upload = create(bench.store(), draft_of("a", std::nullopt), "12");
  int changes = 0;
  std::function<void()> change = [&] {
    ++changes;
    expect_ok(run(upload->declare_length(FakeLease(), 100u + static_cast<unsigned>(changes),
                                         Deadline::never())));
    bench.calls->after("pread", change);
  };
  bench.calls->after("pread", change);
  expect_error(inspect(bench.store(), "a"), ErrorCode::store_unavailable);
  EXPECT_LT(changes, 100);
}

TEST(file_store, ignores_files_that_are_no_uploads) {
  FileBench bench;
  create(bench.store(), draft_of("a", 3), "xyz");
  write_file(bench.path(".hidden.info"), "{}");
  write_file(bench.path("sub/.x.info"), "{}");
  write_file(bench.path("bad name.info"), "{}");
  write_file(bench.path(".info"), "{}");
  write_file(bench.path("README"), "hello");
  EXPECT_EQ(testing::list_all(bench.store()), std::vector<std::string>{"a"});
}

// [FILE-10] few system calls; each is CPU time of every request.
TEST(file_store, makes_few_system_calls) {
  FileBench bench;
  using Calls = std::vector<std::string>;
  create(bench.store(), draft_of("empty", 3));
  EXPECT_EQ(bench.calls->take_log(), (Calls{"openat", "openat", "pwrite"}));
  create(bench.store(), draft_of("a", 6), "xyz");
  EXPECT_EQ(bench.calls->take_log(), (Calls{"openat", "pwrite", "openat", "pwrite"}));
  (void)inspect(bench.store(), "a");
  EXPECT_EQ(bench.calls->take_log(), (Calls{"openat", "pread", "fstatat", "fstatat"}));
  auto upload = open(bench.store(), "a");
  EXPECT_EQ(bench.calls->take_log(), (Calls{"openat", "pread", "fstatat"}));
  bench.append_bytes(*upload, "abc");
  EXPECT_EQ(bench.calls->take_log(), (Calls{"openat", "pwrite"}));
  auto health = run(bench.store().health(Deadline::never()));
  expect_ok(health);
}

class CountingPool final : public BlockingPool {
 public:
  void submit(Job job) override {
    ++jobs;
    inner_.submit(std::move(job));
  }
  bool is_crowded() const noexcept override { return false; }
  int jobs = 0;

 private:
  tus::testing::InlinePool inner_;
};

TEST(file_store, takes_one_job_for_a_call) {
  FileBench bench;
  auto pool = std::make_shared<CountingPool>();
  bench.pool = pool;
  bench.restart();
  auto jobs = [&] { return std::exchange(pool->jobs, 0); };
  auto upload = create(bench.store(), draft_of("a", 100), "xyz");
  EXPECT_EQ(jobs(), 1);
  (void)inspect(bench.store(), "a");
  EXPECT_EQ(jobs(), 1);
  append(*upload, pattern(50));
  EXPECT_EQ(jobs(), 1) << "a body that is here";
  append(*upload, "");
  EXPECT_EQ(jobs(), 0) << "a body without bytes";
  append(*upload, BodyScript::chunked("0123456789", 2));
  EXPECT_EQ(jobs(), 5) << "one for each piece that was waited for";
}

// Descriptors of this process for files of the store.
int open_files(const FileBench& bench) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    auto target = fs::read_symlink(entry.path(), gone).string();
    if (target.starts_with(bench.path("").string())) ++count;
  }
  return count;
}

Awaitable<void> append_into(Upload& upload, BodySource& source, AppendOutcome& outcome) {
  outcome = co_await upload.append(FakeLease(), source, AppendRequest(upload.info().offset),
                                   Deadline::never());
}

// A stalled upload holds no descriptor of the store.
TEST(file_store, holds_no_descriptor_while_it_waits) {
  FileBench bench;
  auto upload = create(bench.store(), draft_of("a", 100));
  auto script = BodyScript::chunked("hello", 2);
  script.hold_before = 1;
  tus::testing::ScriptSource source(std::move(script));
  AppendOutcome outcome;
  tus::testing::TestLoop loop;
  auto before = open_files(bench);
  loop.spawn(append_into(*upload, source, outcome));
  loop.run_until_idle();
  EXPECT_EQ(open_files(bench), before);
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 2u) << "what came counts already";
  source.release();
  loop.run();
  EXPECT_EQ(outcome.safe_offset, 5u);
}

TEST(file_store, refuses_a_directory_that_it_cannot_use) {
  tus::testing::TemporaryDirectory directory;
  write_file(directory.path() / "file", "x");
  FileStoreOptions options;
  options.directory = directory.path() / "file";
  auto made = make_file_store(options, std::make_shared<tus::testing::InlinePool>(),
                              std::make_shared<SystemClock>(), std::make_shared<NoLogger>());
  ASSERT_FALSE(made);
  EXPECT_TRUE(made.error() == ErrorCode::store_unavailable);
  EXPECT_NE(made.error().detail().find("cannot be used"), std::string::npos);
}

// [FILE-18] a directory that is removed and made again is used; a creation notices.
TEST(file_store, uses_a_directory_that_was_made_again) {
  FileBench bench;
  create(bench.store(), draft_of("a", 3));
  fs::remove_all(bench.options.directory);
  for (int tries = 0; tries < 2; ++tries) {
    expect_error(try_create(bench.store(), draft_of("b", 3)), ErrorCode::store_unavailable);
  }
  EXPECT_FALSE(fs::exists(bench.options.directory));
  fs::create_directory(bench.options.directory);
  expect_error(try_create(bench.store(), draft_of("b", 3)), ErrorCode::store_unavailable);
  auto upload = create(bench.store(), draft_of("b", 3));
  EXPECT_EQ(append(*upload, "xyz").safe_offset, 3u);
  EXPECT_EQ(bench.data("b"), "xyz");
  expect_error(inspect(bench.store(), "a"), ErrorCode::upload_not_found);
}

// [FILE-19] whoever tidies up may take our side files with them.
TEST(file_store, makes_its_side_directory_again) {
  FileBench bench;
  auto upload = create(bench.store(), draft_of("a", std::nullopt), "xyz");
  fs::remove_all(bench.path(".tusd"));
  expect_ok(run(upload->declare_length(FakeLease(), 3, Deadline::never())));
  EXPECT_EQ(inspect(bench.store(), "a")->length, 3u);
  fs::remove_all(bench.path(".tusd/tmp"));
  expect_ok(run(bench.store().health(Deadline::never())));
  EXPECT_TRUE(fs::is_empty(bench.path(".tusd/tmp")));
}

// [RUN-49] a full disk is no reason not to start.
TEST(file_store, opens_a_full_directory) {
  FileBench bench;
  create(bench.store(), draft_of("a", 3), "xy");
  bench.calls->fail_writes(ENOSPC);
  bench.restart();
  EXPECT_EQ(inspect(bench.store(), "a")->offset, 2u);
  bench.calls->fail_writes(EROFS);
  EXPECT_THROW(bench.restart(), std::runtime_error);
  bench.calls->fail_writes(0);
}

TEST(file_store, removes_old_temporary_files) {
  FileBench bench;
  write_file(bench.path(".tusd/tmp/old"), "x");
  write_file(bench.path(".tusd/tmp/new"), "x");
  fs::last_write_time(bench.path(".tusd/tmp/old"),
                      fs::file_time_type::clock::now() - std::chrono::hours(48));
  bench.restart();
  EXPECT_FALSE(fs::exists(bench.path(".tusd/tmp/old")));
  EXPECT_TRUE(fs::exists(bench.path(".tusd/tmp/new")));
}

}  // namespace
}  // namespace tus::file_store::test
