#include "protocol/authority.h"

#include "base/ascii.h"

#include <algorithm>
#include <charconv>

namespace tus::protocol {

namespace {

constexpr std::size_t longest_name = 255;

bool is_hex(char c) noexcept {
  const char lower = base::to_lower(c);
  return base::is_digit(c) || (lower >= 'a' && lower <= 'f');
}

bool is_registered_name(std::string_view name) noexcept {
  constexpr std::string_view marks = "-._~!$&'()*+,;=";
  if (name.empty() || name.size() > longest_name) return false;
  for (std::size_t at = 0; at < name.size(); ++at) {
    const char c = name[at];
    if (base::is_alpha(c) || base::is_digit(c) || marks.contains(c)) continue;
    const auto code = name.substr(at + 1, 2);
    if (c != '%' || code.size() != 2 || !std::ranges::all_of(code, is_hex)) return false;
    at += 2;
  }
  return true;
}

bool is_port(std::string_view text) noexcept {
  unsigned port = 0;
  if (text.empty()) return true;  // RFC 3986 allows a colon with nothing behind it
  if (text.size() > 5 || !std::ranges::all_of(text, base::is_digit)) return false;
  std::from_chars(text.data(), text.data() + text.size(), port);
  return port <= 65535;
}

// Takes what stands before the next `separator` off the front, and the separator with it.
std::string_view take(std::string_view& text, char separator) noexcept {
  const auto end = std::min(text.find(separator), text.size());
  const auto part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// How many groups of 16 bits these are; an IPv4 address at their end is two. Nothing when they are none.
std::optional<unsigned> count_groups(std::string_view text) noexcept {
  unsigned count = 0;
  if (text.ends_with(':')) return std::nullopt;
  while (!text.empty()) {
    const auto group = take(text, ':');
    if (text.empty() && group.contains('.')) {
      if (!is_ipv4(group)) return std::nullopt;
      return count + 2;
    }
    if (group.empty() || group.size() > 4 || !std::ranges::all_of(group, is_hex)) {
      return std::nullopt;
    }
    ++count;
  }
  return count;
}

}  // namespace

bool is_ipv4(std::string_view text) noexcept {
  unsigned count = 0;
  if (text.ends_with('.')) return false;
  for (; !text.empty(); ++count) {
    const auto octet = take(text, '.');
    unsigned value = 0;
    if (octet.empty() || octet.size() > 3 || !std::ranges::all_of(octet, base::is_digit)) {
      return false;
    }
    std::from_chars(octet.data(), octet.data() + octet.size(), value);
    if (value > 255 || (octet.size() > 1 && octet.starts_with('0'))) return false;
  }
  return count == 4;
}

bool is_ipv6(std::string_view text) noexcept {
  const auto gap = text.find("::");
  if (gap == std::string_view::npos) return count_groups(text) == 8u;
  const auto before = text.substr(0, gap);
  const auto after = text.substr(gap + 2);
  const auto head = count_groups(before);
  const auto tail = count_groups(after);
  return head && tail && !before.contains('.') && *head + *tail <= 7;
}

std::optional<Authority> parse_authority(std::string_view text) noexcept {
  auto end = std::min(text.find(':'), text.size());
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos || !is_ipv6(text.substr(1, close - 1))) return std::nullopt;
    end = close + 1;
    if (end < text.size() && text[end] != ':') return std::nullopt;
  } else if (!is_registered_name(text.substr(0, end))) {
    return std::nullopt;
  }
  Authority authority{.host = text.substr(0, end), .port = {}};
  if (end < text.size()) authority.port = text.substr(end + 1);
  if (!is_port(authority.port)) return std::nullopt;
  return authority;
}

}  // namespace tus::protocol
