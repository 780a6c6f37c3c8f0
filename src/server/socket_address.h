// Addresses as the kernel gives them.
#pragma once

#include <cstdint>
#include <string>
#include <sys/socket.h>

namespace tus::server {

// Any address of a stream socket; cheap to have on the stack.
class SocketAddress {
 public:
  sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&storage_); }
  const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t& size() noexcept { return size_; }
  socklen_t size() const noexcept { return size_; }

  int family() const noexcept { return storage_.ss_family; }
  // 0 when it has none.
  std::uint16_t port() const noexcept;
  // "127.0.0.1:5432", "[::1]:5432", the path of a Unix socket, or "@" when that has no name.
  std::string text() const;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = sizeof(sockaddr_storage);
};

// Where a socket is bound; family AF_UNSPEC when that is not known.
SocketAddress local_address(int fd) noexcept;

}  // namespace tus::server
