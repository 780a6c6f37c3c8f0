// What the sweep of a directory finds, and above all what it leaves alone.
#include "stores/file/file_store.h"
#include "stores/file/file_test_kit.h"

#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>

namespace tus::file_store::test {
namespace {

using std::chrono::sys_seconds;

constexpr std::chrono::hours day{24};
const char* const generated = "0123456789abcdef0123456789abcdef";
const char* const other = "fedcba9876543210fedcba9876543210";

sys_seconds wall() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

void make_old(const std::filesystem::path& path, std::chrono::seconds age = 2 * day) {
  const auto then = (wall() - age).time_since_epoch().count();
  const timespec times[2] = {{then, 0}, {then, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
}

struct Swept {
  std::vector<std::string> idle;
  std::vector<std::string> removed;
  std::uint64_t bytes = 0;
};

// As the service does it.
Swept sweep(Store& store, sys_seconds idle_since = wall() - day) {
  Swept swept;
  ScanOptions options;
  options.idle_since = idle_since;
  const auto scan = store.scan(options);
  for (bool at_end = false; !at_end;) {
    auto page = run(scan->next(Deadline::never()));
    if (!page) throw std::runtime_error(page.error().detail());
    at_end = page->at_end;
    for (const auto& info : page->uploads) swept.idle.push_back(info.id.str());
    for (const auto& id : page->left_overs) {
      FakeLease lease;
      auto bytes = run(store.remove_left_over(id, lease, idle_since, Deadline::never()));
      if (!bytes) throw std::runtime_error(bytes.error().detail());
      if (!*bytes) continue;
      swept.removed.push_back(id.str());
      swept.bytes += **bytes;
    }
  }
  std::ranges::sort(swept.idle);
  std::ranges::sort(swept.removed);
  return swept;
}

using Names = std::vector<std::string>;

// [FILE-56]
TEST(file_scan, finds_what_is_old_and_unfinished) {
  FileBench bench;
  for (const char* id : {"old", "young", "dir/old"}) create(bench.store(), draft_of(id, 10), "123");
  auto draft = draft_of("finished", 3);
  draft.finish = FinishState::finished;
  create(bench.store(), std::move(draft), "123");
  for (const char* id : {"old", "dir/old", "finished"}) make_old(bench.path(id));
  // The record's age says nothing: it is written again without any byte coming.
  make_old(bench.path("young.info"));
  EXPECT_EQ(sweep(bench.store()).idle, (Names{"dir/old", "old"}));
}

// [FILE-56] Wherever a hook has put the data.
TEST(file_scan, finds_old_data_elsewhere) {
  FileBench bench;
  for (const char* id : {"a", "b"}) {
    auto draft = draft_of(id, 10);
    draft.storage["Path"] = std::string("elsewhere-") + id;
    create(bench.store(), std::move(draft), "123");
  }
  make_old(bench.path("elsewhere-a"));
  EXPECT_EQ(sweep(bench.store()).idle, Names{"a"});
}

// [FILE-57]
TEST(file_scan, removes_data_without_a_record) {
  FileBench bench;
  write_file(bench.path(generated), "12345");
  write_file(bench.path(other), "young");
  make_old(bench.path(generated));
  const auto swept = sweep(bench.store());
  EXPECT_EQ(swept.removed, Names{generated});
  EXPECT_EQ(swept.bytes, 5u);
  EXPECT_FALSE(std::filesystem::exists(bench.path(generated)));
  EXPECT_EQ(read_file(bench.path(other)), "young");
}

// [FILE-57] As a power cut or a termination that was cut off leaves them.
TEST(file_scan, removes_records_of_nothing) {
  FileBench bench;
  write_file(bench.path(std::string(generated) + ".info"), "");
  create(bench.store(), draft_of(other, 10), "123");
  std::filesystem::remove(bench.path(other));
  for (const char* id : {generated, other}) make_old(bench.path(std::string(id) + ".info"));
  EXPECT_EQ(sweep(bench.store()).removed, (Names{generated, other}));
  EXPECT_TRUE(testing::list_all(bench.store()).empty());
  EXPECT_FALSE(std::filesystem::exists(bench.path(std::string(other) + ".info")));
}

// [FILE-58] They may be the operator's, and other names are not ours to judge.
TEST(file_scan, leaves_files_with_names_that_are_not_ours) {
  FileBench bench;
  const auto names = {"README", "movie.mp4", "a/0123456789abcdef0123456789abcdef",
                      "0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef0123456789abcdef.bin"};
  for (const char* name : names) {
    write_file(bench.path(name), "mine");
    make_old(bench.path(name));
  }
  EXPECT_TRUE(sweep(bench.store()).removed.empty());
  for (const char* name : names) EXPECT_EQ(read_file(bench.path(name)), "mine") << name;
}

// [FILE-58] A hook may give the data of one upload the name of another that never was.
TEST(file_scan, leaves_data_that_a_record_names) {
  FileBench bench;
  auto draft = draft_of("a", 5);
  draft.storage["Path"] = generated;
  draft.finish = FinishState::finished;
  create(bench.store(), std::move(draft), "12345");
  make_old(bench.path(generated));
  EXPECT_TRUE(sweep(bench.store()).removed.empty());
  EXPECT_EQ(read_file(bench.path(generated)), "12345");
}

// [FILE-58] It may name anything.
TEST(file_scan, leaves_everything_when_a_record_cannot_be_read) {
  FileBench bench;
  write_file(bench.path(generated), "12345");
  make_old(bench.path(generated));
  write_file(bench.path("damaged.info"), "{\"ID\": \"dam");
  EXPECT_TRUE(sweep(bench.store()).removed.empty());
  EXPECT_EQ(read_file(bench.path(generated)), "12345");
}

// [FILE-58] The disk may only not be there today.
TEST(file_scan, leaves_records_whose_data_is_on_another_disk) {
  FileBench bench;
  auto draft = draft_of(generated, 5);
  draft.storage["Path"] = bench.path("mount/data").string();
  create(bench.store(), std::move(draft), "12345");
  std::filesystem::rename(bench.path("mount"), bench.path("unmounted"));
  make_old(bench.path(std::string(generated) + ".info"));
  EXPECT_TRUE(sweep(bench.store()).removed.empty());
  std::filesystem::rename(bench.path("unmounted"), bench.path("mount"));
  EXPECT_EQ(inspect(bench.store(), generated)->offset, 5u);
}

// [FILE-58] Between the look and the removal somebody may have come.
TEST(file_scan, leaves_what_became_an_upload) {
  FileBench bench;
  write_file(bench.path(generated), "");
  make_old(bench.path(generated));
  ScanOptions options;
  options.idle_since = wall() - day;
  const auto scan = bench.store().scan(options);
  const auto page = run(scan->next(Deadline::never()));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->left_overs.size(), 1u);
  create(bench.store(), draft_of(generated, 5));
  make_old(bench.path(generated));
  make_old(bench.path(std::string(generated) + ".info"));
  FakeLease lease;
  const auto removed = run(bench.store().remove_left_over(page->left_overs[0], lease,
                                                          *options.idle_since, Deadline::never()));
  EXPECT_TRUE(removed && !*removed);
  EXPECT_EQ(inspect(bench.store(), generated)->length, 5u);
}

// [FILE-58]
TEST(file_scan, removes_nothing_without_the_lease) {
  FileBench bench;
  write_file(bench.path(generated), "12345");
  make_old(bench.path(generated));
  FakeLease lease;
  lease.lose();
  expect_error(run(bench.store().remove_left_over(*UploadId::parse(generated), lease, wall() - day,
                                                  Deadline::never())),
               ErrorCode::lease_lost);
  EXPECT_EQ(read_file(bench.path(generated)), "12345");
}

// [FILE-59]
TEST(file_scan, removes_old_temporary_files) {
  FileBench bench;
  write_file(bench.path(".tusd/tmp/old"), "x");
  write_file(bench.path(".tusd/tmp/young"), "x");
  make_old(bench.path(".tusd/tmp/old"));
  sweep(bench.store());
  EXPECT_FALSE(std::filesystem::exists(bench.path(".tusd/tmp/old")));
  EXPECT_TRUE(std::filesystem::exists(bench.path(".tusd/tmp/young")));
}

// Neither an expiry, nor recovery, nor a count of the store ends at it.  [FILE-61]
TEST(file_scan, passes_over_a_record_of_another_user) {
  FileBench bench;
  for (const char* id : {"a", "b", "c"}) {
    create(bench.store(), draft_of(id, 10), "123");
    make_old(bench.path(id));
  }
  write_file(bench.path(generated), "12345");
  make_old(bench.path(generated));
  bench.calls->forbid("b.info");
  const auto swept = sweep(bench.store());
  EXPECT_EQ(swept.idle, (Names{"a", "c"}));
  EXPECT_TRUE(swept.removed.empty()) << "it may name anything";
  EXPECT_EQ(testing::list_all(bench.store()), (Names{"a", "c"}));
  expect_error(inspect(bench.store(), "b"), ErrorCode::store_unavailable);
}

// Each disk error ends the scan with an error, or changes nothing that it finds.  [FILE-60]
TEST(file_scan, finds_all_or_fails_on_a_bad_disk) {
  FileBench bench;
  for (int i = 0; i < 5; ++i) {
    const auto id = "old" + std::to_string(i);
    create(bench.store(), draft_of(id, 10), "123");
    make_old(bench.path(id));
  }
  write_file(bench.path(generated), "12345");
  int failed = 0;
  for (int n = 1;; ++n) {
    make_old(bench.path(generated));
    bench.calls->fail_call(n, EIO);
    try {
      const auto swept = sweep(bench.store());
      EXPECT_LE(swept.idle.size(), 5u);
      if (!bench.calls->has_failed()) break;
    } catch (const std::runtime_error&) {
      ++failed;
    }
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(inspect(bench.store(), "old" + std::to_string(i)));
    write_file(bench.path(generated), "12345");
  }
  EXPECT_GE(failed, 5);
}

}  // namespace
}  // namespace tus::file_store::test
