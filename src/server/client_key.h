// Who a client is to limits that count by address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tus::server {

// An IPv4 address, or the network of an IPv6 address: one customer has at least a /64, and all its addresses.
struct ClientKey {
  enum class Kind : std::uint8_t {
    ipv4,
    ipv6_network,
    unnamed,  // all whom a proxy does not name
  };

  std::uint64_t bits = 0;
  Kind kind = Kind::unnamed;

  friend bool operator==(const ClientKey&, const ClientKey&) = default;
};

// Of "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or "[2001:db8::1]:80". Nothing for all else, such as
// a client on a Unix socket.
std::optional<ClientKey> client_key(std::string_view address) noexcept;

}  // namespace tus::server
