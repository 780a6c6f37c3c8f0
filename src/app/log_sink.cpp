#include "app/log_sink.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tus::app {

// O_NONBLOCK belongs to the open file description, which a parent or a shell shares with us: it is not ours to set. So
// pipes and terminals are opened anew. Where that is forbidden (a terminal of another user), poll() has to do: a pipe
// that is ready takes PIPE_BUF bytes.
LogSink::LogSink(int fd) : fd_(fd), at_once_(PIPE_BUF) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return;
  is_socket_ = S_ISSOCK(status.st_mode);
  if (S_ISREG(status.st_mode)) at_once_ = 1 << 20;
  if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
    const auto path = "/proc/self/fd/" + std::to_string(fd);
    own_fd_ = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own_fd_ >= 0) at_once_ = 1 << 20;
  }
}

LogSink::~LogSink() {
  if (own_fd_ >= 0) ::close(own_fd_);
}

std::size_t LogSink::write(std::string_view text) {
  const auto count = std::min(text.size(), at_once_);
  ssize_t written = 0;
  if (is_socket_) {
    written = ::send(fd_, text.data(), count, MSG_DONTWAIT | MSG_NOSIGNAL);
  } else {
    pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (own_fd_ < 0 && ::poll(&ready, 1, 0) == 0) return 0;
    written = ::write(own_fd_ >= 0 ? own_fd_ : fd_, text.data(), count);
  }
  hopeless_ = false;
  if (written >= 0) return static_cast<std::size_t>(written);
  if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) return 0;
  hopeless_ = true;
  return text.size();
}

void LogSink::wait(std::chrono::milliseconds longest) const {
  pollfd ready{.fd = own_fd_ >= 0 ? own_fd_ : fd_, .events = POLLOUT, .revents = 0};
  ::poll(&ready, 1, static_cast<int>(longest.count()));
}

}  // namespace tus::app
