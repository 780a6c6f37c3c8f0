#include "metrics/histogram.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace tus::metrics {
namespace {

using namespace std::chrono_literals;

constexpr Scale scale{in_seconds, {0.001, 0.5, 2}};

TEST(Histogram, CountsUpToEachBoundAndInTheUnitThatIsShown) {  // [METRIC-4]
  Histogram histogram(scale);
  for (const auto value : {0ns, 1000us + 0ns, 1000us + 1ns, 500ms + 0ns, 2s + 0ns, 3s + 0ns}) {
    histogram.observe(value);
  }
  const auto seen = histogram.collect();
  ASSERT_EQ(seen.bucket.size(), 3u);
  EXPECT_EQ(seen.bucket[0].upper_bound, 0.001);
  EXPECT_EQ(seen.bucket[0].cumulative_count, 2u) << "a bound belongs to its bucket";
  EXPECT_EQ(seen.bucket[1].upper_bound, 0.5);
  EXPECT_EQ(seen.bucket[1].cumulative_count, 4u);
  EXPECT_EQ(seen.bucket[2].upper_bound, 2);
  EXPECT_EQ(seen.bucket[2].cumulative_count, 5u);
  EXPECT_EQ(seen.sample_count, 6u);
  EXPECT_DOUBLE_EQ(seen.sample_sum, 0.001 + 0.001000001 + 0.5 + 2 + 3);
}

TEST(Histogram, ADurationBelowNothingIsNothing) {  // [METRIC-4]
  Histogram histogram(scale);
  histogram.observe(-5s);
  EXPECT_EQ(histogram.collect().sample_sum, 0);
  EXPECT_EQ(histogram.collect().bucket[0].cumulative_count, 1u);
}

TEST(Histogram, LosesNothingBetweenThreads) {  // [METRIC-4]
  constexpr int each = 20'000;
  Histogram histogram(scale);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < each; ++i) histogram.observe(1s);
      });
    }
  }
  EXPECT_EQ(histogram.collect().sample_count, 4u * each);
  EXPECT_EQ(histogram.collect().sample_sum, 4.0 * each);
}

}  // namespace
}  // namespace tus::metrics
