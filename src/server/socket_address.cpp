#include "server/socket_address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <string_view>
#include <sys/un.h>

namespace tus::server {

namespace {

// The bytes are copied: what the kernel wrote is seen through its own type only.
template <class T>
T as(const sockaddr* address) noexcept {
  T typed{};
  std::memcpy(&typed, address, sizeof typed);
  return typed;
}

std::string with_port(std::string_view host, std::uint16_t port) {
  return std::string(host) + ":" + std::to_string(port);
}

std::string text_of(const sockaddr_in6& address) {
  std::array<char, INET6_ADDRSTRLEN> host{};
  if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
    ::inet_ntop(AF_INET, &address.sin6_addr.s6_addr[12], host.data(), host.size());
    return with_port(host.data(), ntohs(address.sin6_port));
  }
  ::inet_ntop(AF_INET6, &address.sin6_addr, host.data(), host.size());
  return with_port("[" + std::string(host.data()) + "]", ntohs(address.sin6_port));
}

}  // namespace

std::uint16_t SocketAddress::port() const noexcept {
  if (family() == AF_INET) return ntohs(as<sockaddr_in>(data()).sin_port);
  if (family() == AF_INET6) return ntohs(as<sockaddr_in6>(data()).sin6_port);
  return 0;
}

std::string SocketAddress::text() const {
  if (family() == AF_INET6) return text_of(as<sockaddr_in6>(data()));
  if (family() == AF_INET) {
    std::array<char, INET_ADDRSTRLEN> host{};
    const auto address = as<sockaddr_in>(data());
    ::inet_ntop(AF_INET, &address.sin_addr, host.data(), host.size());
    return with_port(host.data(), ntohs(address.sin_port));
  }
  if (family() != AF_UNIX) return {};
  const auto address = as<sockaddr_un>(data());
  const auto used = size() - std::min<std::size_t>(size(), offsetof(sockaddr_un, sun_path));
  std::string path(address.sun_path, std::min(used, sizeof address.sun_path));
  if (path.empty()) return "@";
  if (path[0] == '\0') return "@" + path.substr(1);  // an abstract name
  path.resize(std::strlen(path.c_str()));
  return path;
}

SocketAddress local_address(int fd) noexcept {
  SocketAddress address;
  if (::getsockname(fd, address.data(), &address.size()) != 0) return {};
  return address;
}

}  // namespace tus::server
