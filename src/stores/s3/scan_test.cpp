// What a walk through the bucket asks for.
#include "stores/s3/s3_test_kit.h"

#include <chrono>

namespace tus::s3::test {
namespace {

std::size_t finish_uploads(Bench& bench, int count) {
  for (int i = 0; i < count; ++i) {
    auto made = bench.create("done" + std::to_string(i), 3, "abc");
    EXPECT_TRUE(run((*made)->finish_and_record(FakeLease(), never)));
  }
  return static_cast<std::size_t>(count);
}

// The ids that a sweep is told of; everything in the bucket is old.
std::vector<std::string> sweep(BucketStore& store) {
  ScanOptions options;
  options.idle_since = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) +
                       std::chrono::hours(1);
  auto scan = store.scan(options);
  std::vector<std::string> ids;
  for (;;) {
    auto page = run(scan->next(never));
    EXPECT_TRUE(page);
    if (!page) return ids;
    for (const auto& upload : page->uploads) ids.push_back(upload.id.str());
    if (page->at_end) return ids;
  }
}

// [S3-38]
TEST(s3_scan, finished_uploads_are_read_once) {
  Bench bench;
  finish_uploads(bench, 20);
  const auto open = (*bench.create("open", 10, "abc"))->info().id.str();
  EXPECT_EQ(sweep(bench.store()), std::vector{open});
  bench.faults().reset_counts();
  EXPECT_EQ(sweep(bench.store()), std::vector{open});
  // Lists of objects, of multipart uploads and of staged bytes, and what the one upload needs.
  EXPECT_LE(bench.faults().requests(), 8);
}

// [S3-38]
TEST(s3_scan, who_asks_for_all_uploads_is_told_of_all) {
  Bench bench;
  const auto count = finish_uploads(bench, 5);
  (void)sweep(bench.store());
  auto scan = bench.store().scan({});
  std::size_t seen = 0;
  for (;;) {
    auto page = run(scan->next(never));
    ASSERT_TRUE(page);
    seen += page->uploads.size();
    if (page->at_end) break;
  }
  EXPECT_EQ(seen, count);
}

// [S3-38] The same name with another record is another upload.
TEST(s3_scan, a_record_that_was_written_again_is_read_again) {
  Bench bench;
  auto made = bench.create("a", 3, "abc");
  ASSERT_TRUE(run((*made)->finish_and_record(FakeLease(), never)));
  EXPECT_TRUE(sweep(bench.store()).empty());
  ASSERT_TRUE(run((*made)->terminate(FakeLease(), never)));
  const auto again = (*bench.create("a", 10, "abc"))->info().id.str();
  EXPECT_EQ(sweep(bench.store()), std::vector{again});
}

}  // namespace
}  // namespace tus::s3::test
