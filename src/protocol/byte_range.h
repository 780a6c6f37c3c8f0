// The Range field of a download. RFC 9110 section 14.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tus::protocol {

struct ByteSpan {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  friend bool operator==(const ByteSpan&, const ByteSpan&) = default;
};

struct RangeAnswer {
  enum class Kind : std::uint8_t { whole, part, unsatisfiable };
  Kind kind = Kind::whole;
  ByteSpan span;  // of a part or of the whole
};

// What a Range field selects of `size` bytes. A value that is malformed, of another unit, or names several
// ranges is ignored, as the RFC allows: the answer is the whole.
RangeAnswer select_range(std::string_view value, std::uint64_t size) noexcept;

// "bytes 0-4/10", for 206; "bytes */10", for 416.
std::string content_range(const ByteSpan& span, std::uint64_t size);
std::string content_range_of_none(std::uint64_t size);

}  // namespace tus::protocol
