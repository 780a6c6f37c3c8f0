// Ids that are paths, uploads that are gone, and what is left of them.
#include "stores/file/file_test_kit.h"

#include <set>

namespace tus::file_store::test {
namespace {

namespace fs = std::filesystem;

const auto never = Deadline::never();

// Files and directories, but not ours.
std::set<std::string> names_in(const FileBench& bench) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(bench.options.directory)) {
    auto name = fs::relative(entry.path(), bench.options.directory).string();
    if (!name.starts_with(".tusd")) names.insert(name);
  }
  return names;
}

void terminate(FileBench& bench, std::string_view id) {
  expect_ok(run(open(bench.store(), id)->terminate(FakeLease(), never)));
}

// [FILE-28] an id cannot be a file and a directory: the second one is refused, whichever comes first.
TEST(names, of_conflicting_ids_the_first_stays) {
  for (auto token : {std::uint64_t{0}, std::uint64_t{1}}) {
    FileBench bench;
    create(bench.store(), draft_of("a/b", 9), "first");
    create(bench.store(), draft_of("c", 9), "first");
    auto before = names_in(bench);
    for (const char* id : {"a", "a/b/c", "a/b/c/d", "c/d", "c/d/e"}) {
      expect_error(try_create(bench.store(), draft_of(id, 9), "second", FakeLease(token)),
                   ErrorCode::upload_exists);
    }
    auto chosen = draft_of("d", 9);
    chosen.storage = {{"Path", "c/data"}};
    expect_error(try_create(bench.store(), chosen, "second", FakeLease(token)),
                 ErrorCode::upload_exists);
    EXPECT_EQ(names_in(bench), before);
    EXPECT_EQ(bench.data("a/b"), "first");
    EXPECT_EQ(bench.data("c"), "first");
  }
}

// [FILE-29] the directories of an id go with it, so that its name is free again.
TEST(names, empty_directories_go_with_an_upload) {
  FileBench bench;
  create(bench.store(), draft_of("a/b/c", 5), "hello");
  create(bench.store(), draft_of("a/d", 5), "hello");
  auto chosen = draft_of("e/f", 5);
  chosen.storage = {{"Path", "a/b/data"}};
  create(bench.store(), chosen, "hello");
  terminate(bench, "a/b/c");
  EXPECT_EQ(names_in(bench),
            (std::set<std::string>{"a", "a/b", "a/b/data", "a/d", "a/d.info", "e", "e/f.info"}));
  terminate(bench, "a/d");
  terminate(bench, "e/f");
  EXPECT_EQ(names_in(bench), (std::set<std::string>{"a", "a/b"})) << "a hook chose them";
  create(bench.store(), draft_of("a/b/c", 5), "hello");
  terminate(bench, "a/b/c");
  EXPECT_TRUE(names_in(bench).empty());
  create(bench.store(), draft_of("a", 5), "hello");
  EXPECT_EQ(bench.data("a"), "hello");
}

TEST(names, links_are_not_followed_when_directories_go) {
  FileBench bench;
  auto upload = create(bench.store(), draft_of("a/b", 5), "hello");
  auto outside = bench.directory.path() / "outside";
  fs::rename(bench.path("a"), outside);
  fs::create_directory_symlink(outside, bench.path("a"));
  (void)run(upload->terminate(FakeLease(), never));
  EXPECT_TRUE(fs::exists(outside / "b"));
  EXPECT_TRUE(fs::is_symlink(bench.path("a")));
}

// A creation loses its directory to the end of another upload at any of its calls, and succeeds.
TEST(names, a_creation_meets_directories_that_go) {
  for (const char* call : {"mkdirat", "openat"}) {
    for (int chosen = 0; chosen < 2; ++chosen) {
      for (int n = 1; n < 12; ++n) {
        FileBench bench;
        SCOPED_TRACE(std::string(call) + " " + std::to_string(n));
        auto other = create(bench.store(), draft_of("a/b/other", 5), "hello");
        int left = n;
        std::function<void()> look = [&] {
          if (--left > 0) return bench.calls->after(call, look);
          expect_ok(run(other->terminate(FakeLease(), never)));
        };
        bench.calls->after(call, look);
        auto draft = draft_of("a/b/c", 5);
        if (chosen == 1) draft.storage = {{"Path", "data"}};
        create(bench.store(), draft, "hello");
        EXPECT_EQ(inspect(bench.store(), "a/b/c")->offset, 5u);
      }
    }
  }
}

// And as often as others come and go.
TEST(names, a_creation_meets_directories_that_go_again_and_again) {
  for (const bool chosen : {false, true}) {
    SCOPED_TRACE(chosen);
    FileBench bench;
    int left = 20;
    std::function<void()> take_away = [&] {
      fs::remove(bench.path("a/b"));
      fs::remove(bench.path("a"));
      if (--left > 0) bench.calls->after("mkdirat", take_away);
    };
    bench.calls->after("mkdirat", take_away);
    auto draft = draft_of("a/b/c", 5);
    if (chosen) draft.storage = {{"Path", "data"}};
    create(bench.store(), draft, "hello");
    EXPECT_EQ(inspect(bench.store(), "a/b/c")->offset, 5u);
    EXPECT_EQ(left, 0);
  }
}

TEST(names, a_creation_that_fails_leaves_no_directory) {
  FileBench bench;
  bench.calls->fail_writes(0);
  bench.calls->after("mkdirat", [&] { bench.calls->fail_writes(ENOSPC); });
  expect_error(try_create(bench.store(), draft_of("a/b", 5), "hello"), ErrorCode::no_space);
  bench.calls->fail_writes(0);
  for (int n = 1;; ++n) {
    bench.calls->fail_call(n, EIO);
    if (try_create(bench.store(), draft_of("c/d", 5), "hello")) break;
    EXPECT_FALSE(fs::exists(bench.path("c"))) << n;
    ASSERT_LT(n, 20);
  }
}

// [FILE-37] an upload that is gone does not come back.
TEST(names, what_is_gone_takes_no_changes) {
  for (auto fsync : {FsyncPolicy::off, FsyncPolicy::finish, FsyncPolicy::always}) {
    FileBench bench(fsync);
    auto upload = create(bench.store(), draft_of("a", std::nullopt), "hello");
    expect_ok(run(upload->terminate(FakeLease(), never)));
    auto expect_gone = [&] {
      expect_error(run(upload->declare_length(FakeLease(), 5, never)), ErrorCode::upload_gone);
      expect_error(run(upload->set_finish_state(FakeLease(), FinishState::finished, never)),
                   ErrorCode::upload_gone);
      expect_error(run(upload->finish(FakeLease(), never)), ErrorCode::upload_gone);
      expect_error(run(upload->finish_and_record(FakeLease(), never)), ErrorCode::upload_gone);
      expect_error(run(upload->commit_staged(FakeLease(), never)), ErrorCode::upload_gone);
      expect_error(run(upload->rollback_staged(FakeLease(), never)), ErrorCode::upload_gone);
      EXPECT_TRUE(append(*upload, "x").error);
      EXPECT_TRUE(append_staged(*upload, "x").error);
      expect_ok(run(upload->terminate(FakeLease(), never)));
    };
    expect_gone();
    EXPECT_TRUE(names_in(bench).empty());
    create(bench.store(), draft_of("a", 9), "another");
    expect_gone();
    EXPECT_EQ(bench.data("a"), "another");
    EXPECT_EQ(inspect(bench.store(), "a")->length, 9u);
  }
}

// [FILE-37] nor does whoever has it open beside, and does not know yet, bring it back.
TEST(names, what_is_gone_is_gone_for_all) {
  for (auto fsync : {FsyncPolicy::off, FsyncPolicy::finish, FsyncPolicy::always}) {
    FileBench bench(fsync);
    auto upload = create(bench.store(), draft_of("dir/a", std::nullopt), "hello");
    auto beside = open(bench.store(), "dir/a");
    auto whole = open(bench.store(), "dir/a");
    expect_ok(run(whole->declare_length(FakeLease(), 5, never)));
    expect_ok(run(upload->terminate(FakeLease(), never)));
    for (auto* each : {beside.get(), whole.get()}) {
      expect_error(run(each->declare_length(FakeLease(), 5, never)), ErrorCode::upload_gone);
      expect_error(run(each->set_finish_state(FakeLease(), FinishState::finished, never)),
                   ErrorCode::upload_gone);
      EXPECT_TRUE(append(*each, "x").error);
      EXPECT_TRUE(append_staged(*each, "x").error);
    }
    expect_error(run(whole->finish(FakeLease(), never)), ErrorCode::upload_gone);
    expect_error(run(whole->finish_and_record(FakeLease(), never)), ErrorCode::upload_gone);
    expect_ok(run(beside->terminate(FakeLease(), never)));
    EXPECT_TRUE(names_in(bench).empty());
    beside.reset();
    bench.close();
    EXPECT_TRUE(names_in(bench).empty());
  }
}

// [FILE-37] two that end it at the same time, at any step of each other.
TEST(names, an_upload_ends_twice) {
  for (const char* call : {"openat", "fstatat", "unlinkat"}) {
    for (int n = 1; n < 12; ++n) {
      SCOPED_TRACE(std::string(call) + " " + std::to_string(n));
      FileBench bench(FsyncPolicy::always);
      auto upload = create(bench.store(), draft_of("dir/a", 5), "hello");
      auto beside = open(bench.store(), "dir/a");
      int left = n;
      std::function<void()> look = [&] {
        if (--left > 0) return bench.calls->after(call, look);
        // As another process does it whose lock on the records does not work.
        for (const char* name : {"dir/a", "dir/a.info", "dir"}) fs::remove(bench.path(name));
      };
      bench.calls->after(call, look);
      expect_ok(run(upload->terminate(FakeLease(), never)));
      expect_ok(run(beside->terminate(FakeLease(), never)));
      EXPECT_TRUE(names_in(bench).empty());
    }
  }
}

// [FILE-17] a file system that tells only at close(2) what it has lost loses nothing that was synced.
TEST(names, what_was_synced_is_not_lost_at_a_close) {
  FileBench bench(FsyncPolicy::finish);
  auto bytes = pattern(300'000);
  auto upload = create(bench.store(), draft_of("a", bytes.size()));
  int writes = 0;
  std::function<void()> look = [&] {
    if (++writes < 3) return bench.calls->after("pwrite", look);
    EXPECT_TRUE(bench.keeper().sync_all(never));
    bench.calls->fail_close(EIO);
  };
  bench.calls->after("pwrite", look);
  auto outcome = bench.append_bytes(*upload, bytes);
  bench.calls->fail_close(0);
  EXPECT_TRUE(outcome.error);
  const auto safe = outcome.safe_offset;
  EXPECT_GT(safe, 0u);
  EXPECT_EQ(mark_of(bench, "a"), std::to_string(safe));
  EXPECT_EQ(bench.data("a"), bytes.substr(0, safe));
  EXPECT_EQ(bench.append_bytes(*upload, bytes.substr(safe)).safe_offset, bytes.size());
  EXPECT_EQ(bench.data("a"), bytes);
}

}  // namespace
}  // namespace tus::file_store::test
