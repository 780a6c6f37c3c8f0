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

namespace {

std::uint32_t parts_between_doublings(const PartLimits& limits) {
  return std::max(limits.most / doublings_of_an_upload, 1u);
}

// Of the part behind `count` others, where sizes double.
std::uint64_t doubled(const PartLimits& limits, std::uint64_t first, std::uint32_t count) {
  // Beyond this no size is allowed anyway.
  const auto doublings = std::min(count / parts_between_doublings(limits), 20u);
  return first > limits.largest >> doublings ? limits.largest : first << doublings;
}

// All the parts there may be behind `count` others.
std::uint64_t room_of_doubled(const PartLimits& limits, std::uint64_t first, std::uint32_t count) {
  const auto between = parts_between_doublings(limits);
  std::uint64_t room = 0;
  while (count < limits.most) {
    const auto next = std::min((count / between + 1) * between, limits.most);
    room += (next - count) * doubled(limits, first, count);
    count = next;
  }
  return room;
}

}  // namespace

std::uint64_t next_part_size(const PartLimits& limits, const PartsSoFar& so_far) {
  const auto first = so_far.first > 0 ? so_far.first : limits.smallest;
  const bool doubles = so_far.doubles || !so_far.length;
  auto size = doubles ? doubled(limits, first, so_far.count) : first;
  if (so_far.length) {
    const auto rest = *so_far.length - std::min(*so_far.length, so_far.bytes);
    const auto left = limits.most - std::min(limits.most, so_far.count);
    const bool is_enough = doubles && room_of_doubled(limits, first, so_far.count) >= rest;
    if (!is_enough) size = std::max(size, share(limits, rest, left));
  }
  return std::min(size, limits.largest);
}

}  // namespace tus::s3
