#include "protocol/byte_range.h"

#include "base/ascii.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace tus::protocol {

namespace {

// Positions beyond every upload are as good as any of them.
std::optional<std::uint64_t> parse_position(std::string_view text) noexcept {
  if (text.empty() || !std::ranges::all_of(text, base::is_digit)) return std::nullopt;
  std::uint64_t value = 0;
  const auto error = std::from_chars(text.data(), text.data() + text.size(), value).ec;
  if (error == std::errc::result_out_of_range) return std::numeric_limits<std::uint64_t>::max();
  return value;
}

RangeAnswer last_bytes(std::string_view digits, std::uint64_t size) noexcept {
  const RangeAnswer whole{RangeAnswer::Kind::whole, {0, size}};
  const auto wanted = parse_position(digits);
  if (!wanted) return whole;
  if (*wanted == 0) return {RangeAnswer::Kind::unsatisfiable, {}};
  // Of nothing, the last bytes are all there is; a Content-Range could not say so.
  if (size == 0) return whole;
  const auto count = std::min(*wanted, size);
  return {RangeAnswer::Kind::part, {size - count, count}};
}

}  // namespace

RangeAnswer select_range(std::string_view value, std::uint64_t size) noexcept {
  const RangeAnswer whole{RangeAnswer::Kind::whole, {0, size}};
  const auto equals = value.find('=');
  if (equals == std::string_view::npos) return whole;
  if (!base::equals_ignoring_case(value.substr(0, equals), "bytes")) return whole;
  const auto spec = base::trim(value.substr(equals + 1));
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos) return whole;
  const auto left = spec.substr(0, dash);
  const auto right = spec.substr(dash + 1);
  if (left.empty()) return last_bytes(right, size);

  const auto first = parse_position(left);
  const auto last =
      right.empty() ? std::numeric_limits<std::uint64_t>::max() : parse_position(right);
  if (!first || !last || *last < *first) return whole;
  if (*first >= size) return {RangeAnswer::Kind::unsatisfiable, {}};
  return {RangeAnswer::Kind::part, {*first, std::min(*last, size - 1) - *first + 1}};
}

std::string content_range(const ByteSpan& span, std::uint64_t size) {
  return "bytes " + std::to_string(span.first) + "-" + std::to_string(span.first + span.count - 1) +
         "/" + std::to_string(size);
}

std::string content_range_of_none(std::uint64_t size) { return "bytes */" + std::to_string(size); }

}  // namespace tus::protocol
