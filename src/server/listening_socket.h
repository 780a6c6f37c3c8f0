// Sockets that wait for connections: made here, or taken over from another process.
#pragma once

#include <tus/error.h>

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>

namespace tus::server {

// A listening stream socket that does not block and that child processes do not get. Closes it.
class ListeningSocket {
 public:
  explicit ListeningSocket(int fd) noexcept : fd_(fd) {}
  ~ListeningSocket();
  ListeningSocket(ListeningSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ListeningSocket& operator=(ListeningSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int fd() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// The file of a Unix socket, removed at the end, but only while it is still the file that was there at the
// beginning: a newer process may have put its own in this place.
class SocketFile {
 public:
  explicit SocketFile(std::string path);
  ~SocketFile();
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&&) = delete;

  const std::string& path() const noexcept { return path_; }
  // Another process goes on with it.
  void leave() noexcept { known_ = false; }

 private:
  std::string path_;
  bool known_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// The detail of every error is a sentence for the operator.

// "" and "0.0.0.0": both address families. A host in brackets is an IPv6 address. Port 0: a free one.
Result<ListeningSocket> listen_on_tcp(const std::string& host, std::uint16_t port);

// Removes the file of a socket that nobody listens on any more, and nothing else. `perms`: the file's
// mode; without it, what the umask leaves, as Go does it.
Result<ListeningSocket> listen_on_unix(const std::string& path, std::optional<unsigned> perms);

// A socket that came from elsewhere; takes `fd` over, also when it fails.
Result<ListeningSocket> adopt_listening_socket(int fd);

// The port of a TCP socket, 0 for others.
std::uint16_t port_of(int fd) noexcept;
// "0.0.0.0:1080", "[::1]:1080", or the path of a Unix socket; a socket of both families is "0.0.0.0".
std::string address_of(int fd);
bool is_unix_socket(int fd) noexcept;
// Whether it is what listen_on_tcp would make for the same arguments.
bool is_bound_to(int fd, const std::string& host, std::uint16_t port);

}  // namespace tus::server
