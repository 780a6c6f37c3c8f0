// How large parts are. Pure.
#pragma once

#include <cstdint>
#include <optional>

namespace tus::s3 {

// What S3 allows, and what is wanted. Sizes in bytes.
struct PartLimits {
  PartLimits() = default;

  std::uint64_t smallest = 5ull << 20;    // but for the last part
  std::uint64_t preferred = 50ull << 20;  // for bodies that bring so much
  std::uint64_t largest = 5ull << 30;
  std::uint32_t most = 10'000;
  std::uint64_t largest_object = 5ull << 40;
};

// Where an upload stands.
struct PartsSoFar {
  std::uint32_t count = 0;
  std::uint64_t bytes = 0;
  std::uint64_t first = 0;  // the size of the first one: all others follow it
  std::optional<std::uint64_t> length;
  bool doubles = false;  // the first one was planned without a length, whatever is known now
};

// The size of the first part of an upload. `coming`: bytes that are here or announced, so that a client
// that sends pieces of its own gets parts like them, and nothing of a piece has to wait for the next.
std::uint64_t first_part_size(const PartLimits& limits, std::uint64_t coming,
                              std::optional<std::uint64_t> length);

// The same, when it does not depend on what comes.
std::optional<std::uint64_t> only_first_part_size(const PartLimits& limits, std::uint64_t length);

// The size of the next part, at least; the last one may be smaller. Always as the first one, as some want
// it (R2), but where that would need more parts than there may be:
//   - with a known length it is what the rest divided by the remaining parts needs;
//   - without one it doubles with every tenth of the parts, so that 5 MiB at the start lead to 4.8 TiB, and
//     goes on to do so when the length becomes known, unless that needs more.
// It depends on nothing but this, so that a part has the same size whoever sends it, and when.
std::uint64_t next_part_size(const PartLimits& limits, const PartsSoFar& so_far);

}  // namespace tus::s3
