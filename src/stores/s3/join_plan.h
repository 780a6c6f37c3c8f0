// How the objects of partial uploads become the parts of a final one. Pure.
#pragma once

#include "stores/s3/part_plan.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tus::s3 {

// Bytes of one of the objects.
struct Segment {
  std::size_t source = 0;
  std::uint64_t first = 0;
  std::uint64_t count = 0;

  friend bool operator==(const Segment&, const Segment&) = default;
};

// One part. S3 copies a single segment itself; several, which are too small for that, go through us.
struct JoinPart {
  std::vector<Segment> segments;

  std::uint64_t size() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& segment : segments) sum += segment.count;
    return sum;
  }
};

// The same for the same sizes, so that a join can go on after a restart. Of nothing: one part of nothing.
std::vector<JoinPart> plan_join(const PartLimits& limits, const std::vector<std::uint64_t>& sizes);

}  // namespace tus::s3
