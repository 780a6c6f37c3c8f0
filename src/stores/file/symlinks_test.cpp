// Symbolic links in the upload directory: whoever put them there, nothing behind them is read, written or removed.
#include "stores/file/file_store.h"
#include "stores/file/file_test_kit.h"

#include <tus/testing/script_source.h>

#include <chrono>
#include <map>

namespace tus::file_store::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t length = 100;

// A folder beside the upload directory, with files that look like uploads.
class Outside {
 public:
  explicit Outside(const fs::path& path) : path_(path) {
    write_file(path_ / "a", "secret");
    write_file(path_ / "a.info", R"({"ID":"a","Size":100})");
    write_file(path_ / "deep" / "b", "secret");
    write_file(path_ / "deep" / "b.info", R"({"ID":"b","Size":100})");
    before_ = all();
  }

  const fs::path& path() const { return path_; }
  void expect_untouched() const { EXPECT_EQ(all(), before_); }

 private:
  std::map<std::string, std::string> all() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      const auto name = entry.path().string();
      files[name] = entry.is_directory() ? "" : read_file(entry.path());
      files[name] += std::to_string(entry.last_write_time().time_since_epoch().count());
    }
    return files;
  }

  fs::path path_;
  std::map<std::string, std::string> before_;
};

class Symlinks : public ::testing::Test {
 protected:
  void link(const fs::path& to, const std::string& name) {
    fs::create_directories(bench.path(name).parent_path());
    fs::create_symlink(to, bench.path(name));
  }

  // All that a client can ask of an upload, and what the server does by itself.
  void try_everything(const std::string& id) {
    SCOPED_TRACE(id);
    auto& store = bench.store();
    EXPECT_FALSE(inspect(store, id));
    EXPECT_FALSE(try_open(store, id));
    const auto read = tus::testing::read_range(store, id, ByteRange{0, 6});
    EXPECT_FALSE(read.contains("secret")) << read;
    tus::testing::ScriptSource body(tus::testing::BodyScript::whole("written"));
    (void)run(store.open_and_append(*UploadId::parse(id), FakeLease(), body, takes_all,
                                    Deadline::never()));
    outside.expect_untouched();
    expect_error_of_creation(id);
    outside.expect_untouched();
  }

  void sweep() {
    ScanOptions options;
    options.idle_since = std::chrono::sys_seconds::max();
    const auto scan = bench.store().scan(options);
    for (bool at_end = false; !at_end;) {
      auto page = run(scan->next(Deadline::never()));
      ASSERT_TRUE(page);
      at_end = page->at_end;
      for (const auto& info : page->uploads) FAIL() << info.id.str();
      for (const auto& id : page->left_overs) {
        (void)run(bench.store().remove_left_over(id, FakeLease(), *options.idle_since,
                                                 Deadline::never()));
      }
    }
    outside.expect_untouched();
  }

  FileBench bench;
  Outside outside{bench.directory.path() / "outside"};

 private:
  static std::optional<AppendRequest> takes_all(const UploadInfo& info) {
    return AppendRequest(info.offset);
  }
  // Whatever comes of it: bytes of a new upload are in the directory.
  void expect_error_of_creation(const std::string& id) {
    auto made = try_create(bench.store(), draft_of(id, 3), "new");
    if (made) EXPECT_FALSE(fs::is_symlink(bench.path(id)));
  }
};

// [FILE-07]
TEST_F(Symlinks, data_that_is_a_link) {
  create(bench.store(), draft_of("x", length), "abc");
  fs::remove(bench.path("x"));
  link(outside.path() / "a", "x");
  try_everything("x");
  EXPECT_TRUE(fs::is_symlink(bench.path("x")));
  sweep();
}

// [FILE-07]
TEST_F(Symlinks, a_record_that_is_a_link) {
  write_file(bench.path("x"), "abc");
  link(outside.path() / "a.info", "x.info");
  try_everything("x");
  sweep();
}

// [FILE-07]
TEST_F(Symlinks, both_are_links) {
  link(outside.path() / "a", "x");
  link(outside.path() / "a.info", "x.info");
  try_everything("x");
  sweep();
}

// [FILE-07]
TEST_F(Symlinks, links_to_nothing_make_nothing) {
  link(outside.path() / "new", "x");
  link(outside.path() / "new.info", "x.info");
  try_everything("x");
  link(outside.path() / "new", "y");
  try_everything("y");
  sweep();
}

// [FILE-07]
TEST_F(Symlinks, a_directory_that_is_a_link) {
  link(outside.path(), "project");
  link(outside.path() / "deep", "real/inner");
  for (std::string id : {"project/a", "project/deep/b", "real/inner/b", "project/new"}) {
    try_everything(id);
  }
  EXPECT_FALSE(fs::exists(outside.path() / "new"));
  sweep();
}

// [FILE-07] Names as the server makes them are those that a sweep removes.
TEST_F(Symlinks, left_overs_that_are_links) {
  const std::string generated(32, 'a');
  link(outside.path() / "a", generated);
  link(outside.path() / "a.info", std::string(32, 'b') + ".info");
  link(outside.path(), std::string(32, 'c'));
  sweep();
  EXPECT_TRUE(fs::is_symlink(bench.path(generated)));
  auto usage = run(bench.store().usage(Deadline::never()));
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->bytes, 0u);
}

// [FILE-07] The upload is open already.
TEST_F(Symlinks, data_that_becomes_a_link) {
  auto upload = create(bench.store(), draft_of("x", length), "abc");
  fs::remove(bench.path("x"));
  link(outside.path() / "a", "x");
  EXPECT_FALSE(tus::testing::status_of(append(*upload, "written")));
  EXPECT_FALSE(run(upload->finish(FakeLease(), Deadline::never())));
  outside.expect_untouched();
  // What goes is the link.
  (void)run(upload->terminate(FakeLease(), Deadline::never()));
  EXPECT_FALSE(fs::is_symlink(bench.path("x")));
  outside.expect_untouched();
}

// [FILE-07]
TEST_F(Symlinks, a_record_that_becomes_a_link) {
  auto upload = create(bench.store(), draft_of("x", std::nullopt), "abc");
  fs::remove(bench.path("x.info"));
  link(outside.path() / "a.info", "x.info");
  EXPECT_FALSE(run(upload->declare_length(FakeLease(), 3, Deadline::never())));
  outside.expect_untouched();
  (void)run(upload->terminate(FakeLease(), Deadline::never()));
  outside.expect_untouched();
}

// [FILE-07]
TEST_F(Symlinks, a_directory_that_becomes_a_link) {
  auto upload = create(bench.store(), draft_of("project/a", length), "secret");
  fs::rename(bench.path("project"), bench.path("elsewhere"));
  link(outside.path(), "project");
  EXPECT_FALSE(tus::testing::status_of(append(*upload, "written")));
  outside.expect_untouched();
  (void)run(upload->terminate(FakeLease(), Deadline::never()));
  outside.expect_untouched();
  EXPECT_TRUE(fs::is_symlink(bench.path("project")));
}

// [FILE-07] [CONCAT-69]
TEST_F(Symlinks, a_part_that_becomes_a_link) {
  auto part = draft_of("part", 6);
  part.is_partial = true;
  create(bench.store(), part, "abcdef");
  auto final = draft_of("final", 6);
  final.partial_uploads = {"part"};
  auto upload = create(bench.store(), std::move(final));
  fs::remove(bench.path("part"));
  link(outside.path() / "a", "part");
  (void)run(upload->concatenate(FakeLease(), Deadline::never()));
  EXPECT_FALSE(read_file(bench.path("final")).contains("secret"));
  outside.expect_untouched();
}

// [FILE-08] The directory itself may be a link, and so may what is on the way to it.
TEST_F(Symlinks, the_directory_itself_may_be_a_link) {
  const auto root = bench.directory.path() / "linked";
  fs::create_directory_symlink(outside.path() / "deep", root);
  FileStoreOptions options;
  options.directory = root;
  auto store = make_file_store(options, std::make_shared<tus::testing::InlinePool>(),
                               std::make_shared<SystemClock>(), std::make_shared<NoLogger>());
  ASSERT_TRUE(store);
  append(*create(**store, draft_of("p/x", 6), "abc"), "def");
  EXPECT_EQ(read_file(outside.path() / "deep" / "p" / "x"), "abcdef");
  EXPECT_EQ(tus::testing::read_range(**store, "p/x", ByteRange{0, 6}), "abcdef");
  run((*store)->close(Deadline::never()));
}

}  // namespace
}  // namespace tus::file_store::test
