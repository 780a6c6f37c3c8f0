#include "stores/s3/part_plan.h"

#include <algorithm>

namespace tus::s3 {

namespace {

constexpr std::uint32_t doublings_of_an_upload = 10;
constexpr std::uint64_t round_to = 1ull << 20;

std::uint64_t round_up(std::uint64_t size, std::uint64_t unit) {
  return (size + unit - 1) / unit * unit;
}

// What so many bytes need when they come in so many parts.
std::uint64_t share(const PartLimits& limits, std::uint64_t bytes, std::uint32_t parts) {
  if (parts == 0) return limits.largest;
  const auto even = bytes / parts + (bytes % parts == 0 ? 0 : 1);
  return round_up(even, std::min(round_to, limits.smallest));
}

}  // namespace

std::uint64_t first_part_size(const PartLimits& limits, std::uint64_t coming,
                              std::optional<std::uint64_t> length) {
  const auto needed = length ? share(limits, *length, limits.most) : 0;
  const auto least = std::max(limits.smallest, needed);
  const auto most = std::max(least, limits.preferred);
  return std::min(std::clamp(coming, least, most), limits.largest);
}

std::optional<std::uint64_t> only_first_part_size(const PartLimits& limits, std::uint64_t length) {
  const auto least = std::min(first_part_size(limits, 0, length), length);
  const auto most = std::min(first_part_size(limits, length, length), length);
  return least == most ? std::optional(least) : std::nullopt;
}

std::uint64_t next_part_size(const PartLimits& limits, const PartsSoFar& so_far) {
  auto size = std::max(so_far.first, limits.smallest);
  if (so_far.doubles || !so_far.length) {
    // Beyond this no size is allowed anyway.
    const auto between = std::max(limits.most / doublings_of_an_upload, 1u);
    const auto doublings = std::min(so_far.count / between, 20u);
    size = size > limits.largest >> doublings ? limits.largest : size << doublings;
  }
  if (so_far.length) {
    const auto rest = *so_far.length - std::min(*so_far.length, so_far.bytes);
    const auto left = limits.most - std::min(limits.most, so_far.count);
    size = std::max(size, share(limits, rest, left));
  }
  return std::min(size, limits.largest);
}

}  // namespace tus::s3
