#include "stores/s3/part_plan.h"

#include <gtest/gtest.h>

namespace tus::s3 {
namespace {

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t gib = 1 << 30;

// Parts that an upload gets when its length is known, or not.
std::uint32_t parts_of(PartsSoFar so_far, std::uint64_t bytes) {
  const PartLimits limits;
  while (so_far.bytes < bytes) {
    const auto size = next_part_size(limits, so_far);
    EXPECT_GE(size, limits.smallest);
    EXPECT_LE(size, limits.largest);
    so_far.bytes += size;
    ++so_far.count;
  }
  return so_far.count;
}

// [S3-01] Pieces that a client sends become parts as they are.
TEST(part_plan, the_first_part_is_like_what_comes) {
  const PartLimits limits;
  EXPECT_EQ(first_part_size(limits, 6 * mib, 100 * mib), 6 * mib);
  EXPECT_EQ(first_part_size(limits, 1 * mib, 100 * mib), 5 * mib);
  EXPECT_EQ(first_part_size(limits, 1 * gib, 1 * gib), 50 * mib);
  EXPECT_EQ(first_part_size(limits, 8 * mib, std::nullopt), 8 * mib);
}

// [S3-02] With a known length all parts are alike, and never more than 10,000.
TEST(part_plan, a_known_length_fits) {
  const PartLimits limits;
  for (auto length : {1 * gib, 48 * gib, 49 * gib, 500 * gib, 5 * 1024 * gib}) {
    for (std::uint64_t coming : {mib, 64 * mib}) {
      const auto first = first_part_size(limits, coming, length);
      EXPECT_LE(parts_of({0, 0, first, length}, length), 10'000u) << length << " " << coming;
      EXPECT_EQ(next_part_size(limits, {10, 10 * first, first, length}), first);
    }
  }
  EXPECT_EQ(first_part_size(limits, mib, 5 * 1024 * gib), 525 * mib);
}

// [S3-02] What another server has begun with small parts is brought to its end.
TEST(part_plan, goes_on_with_parts_of_others) {
  const std::uint64_t length = 200 * gib;
  EXPECT_LE(parts_of({9'000, 9'000 * 5 * mib, 5 * mib, length}, length), 10'000u);
}

// [S3-03]
TEST(part_plan, an_unknown_length_may_become_any) {
  EXPECT_LE(parts_of({0, 0, 5 * mib, std::nullopt}, 4990 * gib), 10'000u);
  EXPECT_EQ(next_part_size(PartLimits(), {999, 0, 5 * mib, std::nullopt}), 5 * mib);
  EXPECT_EQ(next_part_size(PartLimits(), {1000, 0, 5 * mib, std::nullopt}), 10 * mib);
  EXPECT_EQ(next_part_size(PartLimits(), {9'999, 0, 50 * mib, std::nullopt}), 5 * gib);
}

// [S3-15] A length that becomes known later, at any time, changes nothing.
TEST(part_plan, a_length_that_comes_late) {
  for (auto first : {5 * mib, 50 * mib}) {
    for (auto length : {gib, 49 * gib, 100 * gib, 600 * gib, 4'800 * gib}) {
      PartsSoFar unknown{0, 0, first, std::nullopt};
      while (unknown.bytes < length) {
        const auto size = next_part_size(PartLimits(), unknown);
        const PartsSoFar known{unknown.count, unknown.bytes, first, length, true};
        ASSERT_EQ(next_part_size(PartLimits(), known), size) << unknown.count << " of " << length;
        unknown.bytes += size;
        ++unknown.count;
      }
    }
  }
  EXPECT_LE(parts_of({0, 0, 5 * mib, 5'000 * gib, true}, 5'000 * gib), 10'000u) << "it needs more";
}

// [S3-15]
TEST(part_plan, a_first_part_that_does_not_depend_on_what_comes) {
  const PartLimits limits;
  EXPECT_EQ(only_first_part_size(limits, 3 * mib), 3 * mib);
  EXPECT_EQ(only_first_part_size(limits, 5 * mib), 5 * mib);
  EXPECT_EQ(only_first_part_size(limits, 7 * mib), std::nullopt);
  EXPECT_EQ(only_first_part_size(limits, 1 * gib), std::nullopt);
  EXPECT_EQ(only_first_part_size(limits, 5 * 1024 * gib), 525 * mib);
}

}  // namespace
}  // namespace tus::s3
