#include "stores/s3/join_plan.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace tus::s3 {
namespace {

PartLimits limits_of(std::uint64_t smallest, std::uint64_t largest) {
  PartLimits limits;
  limits.smallest = smallest;
  limits.largest = largest;
  return limits;
}

// [S3-20] What is large enough is copied by S3, the rest goes through us.
TEST(join_plan, small_parts_are_put_together) {
  const auto plan = plan_join(limits_of(5, 100), {7, 2, 2, 20, 0, 3});
  ASSERT_EQ(plan.size(), 4u);
  EXPECT_EQ(plan[0].segments, (std::vector<Segment>{{0, 0, 7}}));
  EXPECT_EQ(plan[1].segments, (std::vector<Segment>{{1, 0, 2}, {2, 0, 2}, {3, 0, 1}}));
  EXPECT_EQ(plan[2].segments, (std::vector<Segment>{{3, 1, 19}}));
  EXPECT_EQ(plan[3].segments, (std::vector<Segment>{{5, 0, 3}}));
  EXPECT_EQ(plan_join(limits_of(5, 100), {}).size(), 1u);
  EXPECT_EQ(plan_join(limits_of(5, 100), {0, 0})[0].size(), 0u);
}

// [S3-20] All bytes, each once, in order, in parts that S3 takes.
TEST(join_plan, keeps_every_byte) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint64_t> sizes(random() % 20);
    for (auto& size : sizes) size = random() % (round % 2 == 0 ? 12 : 300);
    const auto plan = plan_join(limits_of(5, 64), sizes);
    std::vector<std::uint64_t> seen(sizes.size());
    std::size_t source = 0;
    for (std::size_t i = 0; i < plan.size(); ++i) {
      if (i + 1 < plan.size()) EXPECT_GE(plan[i].size(), 5u);
      EXPECT_LE(plan[i].size(), 64u);
      for (const auto& segment : plan[i].segments) {
        EXPECT_GE(segment.source, source);
        source = segment.source;
        EXPECT_EQ(segment.first, seen[source]);
        seen[source] += segment.count;
      }
    }
    EXPECT_EQ(seen, sizes);
  }
}

}  // namespace
}  // namespace tus::s3
