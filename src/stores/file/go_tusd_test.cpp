// Directories as Go's tusd leaves them: where the data is found, and what a record says afterwards.
#include "stores/file/file_test_kit.h"

namespace tus::file_store::test {
namespace {

namespace fs = std::filesystem;

std::string record(std::string_view size, std::string_view storage) {
  std::string text = R"({"ID":"a","Size":)";
  text.append(size).append(R"(,"SizeIsDeferred":false,"Offset":0,"MetaData":{"k":"v"},)");
  text.append(R"("IsPartial":false,"IsFinal":false,"PartialUploads":null)");
  if (!storage.empty()) text.append(",\"Storage\":").append(storage);
  return text + "}";
}

std::string storage(const fs::path& path, const fs::path& info) {
  return R"({"InfoPath":")" + info.string() + R"(","Path":")" + path.string() +
         R"(","Type":"filestore"})";
}

// The upload `a` of 11 bytes goes on from "hello" and ends with its bytes in `file`, where its new record says it is.
void expect_goes_on(FileBench& bench, const fs::path& file) {
  auto info = inspect(bench.store(), "a");
  ASSERT_TRUE(info) << info.error().detail();
  EXPECT_EQ(info->offset, 5u);
  auto upload = open(bench.store(), "a");
  append(*upload, " world");
  EXPECT_EQ(read_file(file), "hello world");
  expect_ok(run(upload->set_finish_state(FakeLease(), FinishState::finished, Deadline::never())));
  auto rewritten = bench.data("a.info");
  EXPECT_NE(rewritten.find(storage(file, bench.path("a.info"))), std::string::npos) << rewritten;
  bench.restart();
  EXPECT_TRUE(inspect(bench.store(), "a")->finished());
  expect_ok(run(open(bench.store(), "a")->terminate(FakeLease(), Deadline::never())));
  EXPECT_FALSE(fs::exists(file));
}

// [MIG-3] a record of before Storage, with the data beside it as 1.0 names it and as it was before.
TEST(go_tusd, has_records_without_storage) {
  for (const char* name : {"a", "a.bin"}) {
    SCOPED_TRACE(name);
    FileBench bench;
    write_file(bench.path(name), "hello");
    write_file(bench.path("a.info"), record("11", ""));
    expect_goes_on(bench, bench.path(name));
  }
}

TEST(go_tusd, has_records_with_a_path_of_before_1_0) {
  FileBench bench;
  write_file(bench.path("a.bin"), "hello");
  write_file(bench.path("a.info"), record("11", R"({"Path":"data/a.bin","Type":"filestore"})"));
  expect_goes_on(bench, bench.path("a.bin"));
}

// [MIG-4] relative to the directory in which Go's program was started, which is not ours.
TEST(go_tusd, has_relative_paths) {
  FileBench bench;
  write_file(bench.path("a"), "hello");
  write_file(bench.path("a.info"), record("11", storage("data/a", "data/a.info")));
  expect_goes_on(bench, bench.path("a"));
  write_file(bench.path("custom/place"), "hello");
  // An upload `data/custom/place` is another one.
  write_file(bench.path("data/custom/place"), "another");
  write_file(bench.path("a.info"), record("11", storage("data/custom/place", "data/a.info")));
  expect_goes_on(bench, bench.path("custom/place"));
  EXPECT_EQ(bench.data("data/custom/place"), "another");
  write_file(bench.path("custom/place"), "hello");
  write_file(bench.path("a.info"), record("11", storage("custom/place", "a.info")));
  expect_goes_on(bench, bench.path("custom/place"));
}

// [MIG-4] absolute: in the directory, outside of it, and in the directory before it was moved or copied.
TEST(go_tusd, has_absolute_paths) {
  FileBench bench;
  for (const auto& file :
       {bench.path("custom/place"), bench.directory.path() / "outside" / "file"}) {
    write_file(file, "hello");
    write_file(bench.path("a.info"), record("11", storage(file, bench.path("a.info"))));
    expect_goes_on(bench, file);
  }
  auto old = bench.directory.path() / "old";
  write_file(old / "custom/place", "hello, original");
  write_file(bench.path("custom/place"), "hello");
  write_file(bench.path("a.info"), record("11", storage(old / "custom/place", old / "a.info")));
  expect_goes_on(bench, bench.path("custom/place"));
  EXPECT_EQ(read_file(old / "custom/place"), "hello, original");
}

// [MIG-4] nothing is looked for where a relative path leads out of the directory, and nothing is touched there.
TEST(go_tusd, has_no_relative_paths_that_leave_the_directory) {
  FileBench bench;
  write_file(bench.directory.path() / "secret", "hello");
  for (const char* path : {"../secret", "x/../../secret", ".tusd/tmp/x"}) {
    write_file(bench.path("a.info"), record("11", R"({"Path":")" + std::string(path) + "\"}"));
    expect_error(inspect(bench.store(), "a"), ErrorCode::upload_not_found);
    auto with_record = storage("data/" + std::string(path), "data/a.info");
    write_file(bench.path("a.info"), record("11", with_record));
    EXPECT_FALSE(inspect(bench.store(), "a")) << with_record;
  }
  EXPECT_EQ(read_file(bench.directory.path() / "secret"), "hello");
}

// The data of an upload `a.bin` is never that of an upload `a`.
TEST(go_tusd, tells_the_old_suffix_from_an_id) {
  FileBench bench;
  create(bench.store(), draft_of("a.bin", 11), "hello");
  write_file(bench.path("a.info"), record("11", ""));
  expect_error(inspect(bench.store(), "a"), ErrorCode::upload_not_found);
  // What a termination of ours leaves says where its data was.
  create(bench.store(), draft_of("b", 11), "hello");
  fs::remove(bench.path("b"));
  write_file(bench.path("b.bin"), "somebody's");
  expect_error(inspect(bench.store(), "b"), ErrorCode::upload_not_found);
}

// [MIG-6] no data, no upload; no record, no upload: as with Go.
TEST(go_tusd, halves_are_no_uploads) {
  FileBench bench;
  write_file(bench.path("a.info"), record("11", storage(bench.path("a"), bench.path("a.info"))));
  write_file(bench.path("b"), "hello");
  expect_error(inspect(bench.store(), "a"), ErrorCode::upload_not_found);
  expect_error(inspect(bench.store(), "b"), ErrorCode::upload_not_found);
}

}  // namespace
}  // namespace tus::file_store::test
