#include "stores/s3/join_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tus::s3 {

namespace {

// A copy takes its time, and nobody hears of it meanwhile.
constexpr std::uint64_t usual_copy = 512ull << 20;

}  // namespace

std::vector<JoinPart> plan_join(const PartLimits& limits, const std::vector<std::uint64_t>& sizes) {
  const auto total = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
  const auto half_of_the_parts = std::max(limits.most / 2, 1u);
  const auto copy = std::min(std::max({usual_copy, limits.smallest, total / half_of_the_parts + 1}),
                             limits.largest);
  std::vector<JoinPart> parts;
  JoinPart small;
  const auto emit = [&parts](JoinPart part) { parts.push_back(std::move(part)); };
  for (std::size_t source = 0; source < sizes.size(); ++source) {
    std::uint64_t at = 0;
    const auto size = sizes[source];
    if (!small.segments.empty()) {
      at = std::min(size, limits.smallest - small.size());
      if (at > 0) small.segments.push_back({source, 0, at});
      if (small.size() == limits.smallest) emit(std::exchange(small, JoinPart()));
    }
    while (size - at >= limits.smallest) {
      const auto count = std::min(size - at, copy);
      emit(JoinPart{{{source, at, count}}});
      at += count;
    }
    if (at < size) small.segments.push_back({source, at, size - at});
  }
  if (!small.segments.empty() || parts.empty()) emit(std::move(small));
  return parts;
}

}  // namespace tus::s3
