#include "server/client_key.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <span>

namespace tus::server {

namespace {

std::string_view without_port(std::string_view text) noexcept {
  if (text.starts_with('[')) return text.substr(1, std::min(text.find(']'), text.size()) - 1);
  const bool several = std::ranges::count(text, ':') > 1;
  return several ? text : text.substr(0, text.find(':'));
}

template <std::size_t n>
std::uint64_t big_endian(const std::array<unsigned char, n>& bytes, std::size_t count) noexcept {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < count; ++i) bits = bits << 8 | bytes.at(i);
  return bits;
}

}  // namespace

std::optional<ClientKey> client_key(std::string_view address) noexcept {
  const auto host = without_port(address);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (host.size() >= text.size()) return std::nullopt;
  std::ranges::copy(host, text.begin());
  std::array<unsigned char, 4> ipv4{};
  if (::inet_pton(AF_INET, text.data(), ipv4.data()) == 1) {
    return ClientKey{big_endian(ipv4, 4), ClientKey::Kind::ipv4};
  }
  std::array<unsigned char, 16> ipv6{};
  if (::inet_pton(AF_INET6, text.data(), ipv6.data()) != 1) return std::nullopt;
  // An IPv4 address as an IPv6 socket sees it.
  static constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::ranges::equal(mapped, std::span(ipv6).first<12>())) {
    std::ranges::copy(std::span(ipv6).last<4>(), ipv4.begin());
    return ClientKey{big_endian(ipv4, 4), ClientKey::Kind::ipv4};
  }
  return ClientKey{big_endian(ipv6, 8), ClientKey::Kind::ipv6_network};
}

}  // namespace tus::server
