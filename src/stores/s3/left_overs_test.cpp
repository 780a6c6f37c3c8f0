// What a sweep removes, and what it leaves.
#include "stores/s3/s3_test_kit.h"

#include <gmock/gmock.h>

#include <chrono>
#include <thread>

namespace tus::s3::test {
namespace {

const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
const auto all_is_old = now + std::chrono::hours(1);
const auto all_is_new = now - std::chrono::hours(1);

// As the service sweeps. Bytes that became free.
std::uint64_t sweep(Bench& bench, std::chrono::sys_seconds idle_since) {
  ScanOptions options;
  options.idle_since = idle_since;
  auto scan = bench.store().scan(options);
  std::uint64_t bytes = 0;
  for (bool at_end = false; !at_end;) {
    auto page = run(scan->next(never));
    EXPECT_TRUE(page);
    if (!page) return bytes;
    for (auto& id : page->left_overs) {
      auto removed =
          run(bench.store().remove_left_over(std::move(id), FakeLease(), idle_since, never));
      EXPECT_TRUE(removed);
      if (removed && *removed) bytes += **removed;
    }
    at_end = page->at_end;
  }
  return bytes;
}

void begin_multipart(Bench& bench, const std::string& key, const std::string& bytes) {
  const ObjectName name{"uploads", key};
  auto upload = run(bench.bucket().create_multipart(name, {}, never));
  ASSERT_TRUE(upload);
  Payload payload;
  payload.pieces.push_back(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(run(bench.bucket().put_part({name, *upload}, 1, payload, never)));
}

// [S3-49] Multipart uploads that no record names, and bytes that waited for their checksum; however many.
TEST(s3_left_overs, a_sweep_removes_what_was_cut_off) {
  auto quirks = Bench::small_quirks();
  quirks.page_size = 7;
  Bench bench(Bench::small_options(), quirks);
  auto made = bench.create("kept", 40, pattern(13));
  ASSERT_TRUE(made);
  const auto id = (*made)->info().id;
  made->reset();
  for (int i = 0; i < 20; ++i) {
    const auto number = std::to_string(i);
    begin_multipart(bench, "orphan" + number, "0123456789");
    begin_multipart(bench, ".tusd/staged/kept/multipart" + number, "0123456789");
    bench.bucket().put_behind_the_back({"uploads", ".tusd/staged/kept/object" + number}, "0123");
  }
  EXPECT_EQ(sweep(bench, all_is_new), 0u);
  EXPECT_EQ(bench.bucket().multiparts().size(), 41u);
  EXPECT_EQ(bench.bucket().keys().size(), 22u);
  EXPECT_EQ(sweep(bench, all_is_old), 200u);
  EXPECT_EQ(bench.bucket().multiparts().size(), 1u);
  EXPECT_EQ(bench.bucket().keys(), (std::vector<std::string>{"kept.info", "kept.part"}));
  bench.restart();
  EXPECT_EQ(bench.inspect(id)->offset, 13u);
}

std::vector<std::string> no_keys() { return {}; }

// A termination during which S3 fails, after the upload has been declared gone.
UploadId cut_off_termination(Bench& bench, Operation operation) {
  auto made = bench.create("a", 40, pattern(13));
  EXPECT_TRUE(made);
  const auto id = (*made)->info().id;
  bench.faults().fail_all(operation, Fault::fails);
  EXPECT_FALSE(run((*made)->terminate(FakeLease(), never)));
  made->reset();
  bench.faults().clear_faults();
  EXPECT_TRUE(bench.inspect(id).error() == ErrorCode::upload_not_found);
  return id;
}

// [S3RUN-38] Who deletes an upload again, for the first time has failed half-way, removes what is left.
TEST(s3_left_overs, a_termination_goes_on_when_it_is_asked_for_again) {
  for (auto operation :
       {Operation::abort_multipart, Operation::head_object, Operation::delete_object}) {
    SCOPED_TRACE(name_of(operation));
    Bench bench;
    const auto id = cut_off_termination(bench, operation);
    EXPECT_NE(bench.bucket().keys(), no_keys());
    bench.faults().fail_all(operation, Fault::fails);
    EXPECT_TRUE(bench.open(id).error() == ErrorCode::store_unavailable);
    bench.faults().clear_faults();
    bench.restart();
    EXPECT_TRUE(bench.open(id).error() == ErrorCode::upload_not_found);
    EXPECT_EQ(bench.bucket().keys(), no_keys());
    EXPECT_TRUE(bench.bucket().multiparts().empty());
  }
}

// [S3RUN-38] And when nobody asks again, it is swept away.
TEST(s3_left_overs, a_sweep_ends_terminations) {
  Bench bench;
  (void)cut_off_termination(bench, Operation::abort_multipart);
  bench.restart();
  (void)sweep(bench, all_is_new);
  EXPECT_EQ(bench.bucket().multiparts().size(), 1u);
  (void)sweep(bench, all_is_old);
  EXPECT_EQ(bench.bucket().keys(), no_keys());
  EXPECT_TRUE(bench.bucket().multiparts().empty());
}

// [S3RUN-38] Records of uploads that were thrown away behind our back; not those of Go's tusd, and not when an
// object of ours is there.
TEST(s3_left_overs, a_sweep_removes_hollow_records) {
  Bench bench;
  for (const auto* name : {"hollow", "gos", "whole"}) {
    auto made = bench.create(name, 13, pattern(13));
    ASSERT_TRUE(made);
    if (name == std::string_view("whole")) {
      ASSERT_TRUE(run((*made)->finish(FakeLease(), never)));
    } else {
      bench.bucket().abort_behind_the_back(name);
    }
    if (name != std::string_view("gos")) continue;
    const auto id = (*made)->info().id.str();
    bench.bucket().put_behind_the_back(
        {"uploads", "gos.info"},
        R"({"ID":")" + id +
            R"(","Size":13,"MetaData":{},)"
            R"("Storage":{"Bucket":"uploads","Key":"gos","Type":"s3store"}})");
  }
  bench.restart();
  (void)sweep(bench, all_is_new);
  EXPECT_EQ(bench.bucket().keys().size(), 4u);
  (void)sweep(bench, all_is_old);
  const auto left = bench.bucket().keys();
  EXPECT_THAT(left, ::testing::Not(::testing::Contains("hollow.info")));
  EXPECT_THAT(left, ::testing::IsSupersetOf({"gos.info", "whole", "whole.info"}));
  EXPECT_EQ(bench.bucket().peek("whole"), pattern(13));
}

// [S3RUN-38] Nor when it comes while the record is on its way out.
TEST(s3_left_overs, a_sweep_removes_no_object_that_comes_meanwhile) {
  Bench bench;
  ASSERT_TRUE(bench.create("a", 13, pattern(13)));
  const auto upload = bench.bucket().multiparts().at(0);
  std::vector<PartTag> parts;
  for (const auto& part : bench.bucket().parts("a")) parts.push_back({part.number, part.etag});
  ASSERT_TRUE(run(bench.bucket().complete_multipart(upload, parts, never)));
  const auto headers = bench.bucket().peek_headers("a");
  ASSERT_TRUE(headers);
  bench.bucket().delete_behind_the_back("a");
  bench.restart();
  bench.faults().fail_nth(Operation::abort_multipart, 1, Fault::held);
  bench.faults().fail_nth(Operation::delete_object, 1, Fault::held);
  std::jthread sweeper([&bench] { (void)sweep(bench, all_is_old); });
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (bench.faults().held() == 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  EXPECT_EQ(bench.faults().held(), 1);
  bench.bucket().put_behind_the_back(upload.name, pattern(13), *headers);
  bench.faults().clear_faults();
  bench.faults().let_go();
  sweeper.join();
  EXPECT_EQ(bench.bucket().keys(), (std::vector<std::string>{"a"}));
  EXPECT_EQ(bench.bucket().peek("a"), pattern(13));
}

}  // namespace
}  // namespace tus::s3::test
