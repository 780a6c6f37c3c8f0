// host[:port] as it stands in Host, :authority and URLs (RFC 3986 section 3.2), without a user.
#pragma once

#include <optional>
#include <string_view>

namespace tus::protocol {

// Views of what was parsed.
struct Authority {
  std::string_view host;  // "a.example", "192.0.2.1", "[2001:db8::1]"
  std::string_view port;  // digits, or nothing
};

// Nothing when it is not one. Addresses of a future version ("[v1.x]") have no meaning today.
std::optional<Authority> parse_authority(std::string_view text) noexcept;

bool is_ipv4(std::string_view text) noexcept;
bool is_ipv6(std::string_view text) noexcept;  // without brackets and zone

}  // namespace tus::protocol
