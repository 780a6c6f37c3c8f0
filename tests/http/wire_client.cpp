#include "tests/http/wire_client.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <thread>

namespace tus::http_tests {

namespace {

constexpr int patience_ms = 10'000;

bool is_unix(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

}  // namespace

void WireClient::send(const std::vector<std::string_view>& pieces) {
  for (const auto piece : pieces) {
    if (at_end_) return;
    send_piece(piece);
    if (pieces.size() > 1) wait_until_read();
  }
}

// Reads meanwhile: a server that has answered closes at last, and then nothing more can be read.
void WireClient::send_piece(std::string_view piece) {
  while (!piece.empty() && !at_end_) {
    pollfd entry{connection_.fd(), POLLIN | POLLOUT, 0};
    if (::poll(&entry, 1, patience_ms) <= 0) return;
    if ((entry.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      take();
      continue;
    }
    const auto sent =
        ::send(connection_.fd(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) piece.remove_prefix(static_cast<std::size_t>(sent));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return;
  }
}

// A Unix socket counts what its peer has not read. TCP knows only what has arrived.
void WireClient::wait_until_read() {
  if (!is_unix(connection_.fd())) return;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  int unread = 0;
  while (::ioctl(connection_.fd(), SIOCOUTQ, &unread) == 0 && unread > 0) {
    pollfd entry{connection_.fd(), POLLIN, 0};
    if (::poll(&entry, 1, 0) > 0) take();
    if (at_end_ || std::chrono::steady_clock::now() > until) return;
    std::this_thread::yield();
  }
}

bool WireClient::receive() {
  pollfd entry{connection_.fd(), POLLIN, 0};
  if (::poll(&entry, 1, patience_ms) <= 0) return false;
  take();
  return true;
}

bool WireClient::receive_to_end() {
  while (!at_end_) {
    if (!receive()) return false;
  }
  return true;
}

void WireClient::take() {
  std::array<char, 65536> block;
  const auto got = ::recv(connection_.fd(), block.data(), block.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) {
    received_.append(block.data(), static_cast<std::size_t>(got));
    return;
  }
  was_reset_ = got < 0;
  at_end_ = true;
}

}  // namespace tus::http_tests
