#include "server/listener.h"

#include "server/response_writer.h"
#include "server/socket_address.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace tus::server {

namespace {

using boost::system::error_code;

// Then others that share the loop get their turn.
constexpr int accepted_at_once = 64;
constexpr int accept_rounds_at_end = 64;
constexpr std::chrono::milliseconds pause_in_trouble{20};
int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// The client gave up, or was refused, between connecting and being accepted.
bool is_of_one_client(int error) {
  return error == ECONNABORTED || error == EPROTO || error == EPERM || error == EINTR;
}

}  // namespace

Listener::Listener(ListeningSocket socket, std::vector<std::shared_ptr<Loop>> loops,
                   std::shared_ptr<Context> context, Accepted accepted)
    : loops_(std::move(loops)),
      context_(std::move(context)),
      accepted_(std::move(accepted)),
      socket_(loops_.front()->executor(), socket.fd()),
      fd_(socket.release()),
      pause_(loops_.front()->executor()),
      spare_(open_spare()) {}

Listener::~Listener() {
  if (spare_ >= 0) ::close(spare_);
}

Awaitable<void> Listener::run(std::shared_ptr<Listener> self) {
  while (!self->closed_) {
    error_code ec;
    co_await self->socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                                      asio::redirect_error(asio::use_awaitable, ec));
    if (self->closed_) break;
    if (!self->accept_some()) co_await self->survive(self->error_);
  }
}

// False: the reason is in error_.
bool Listener::accept_some() {
  for (int i = 0; i < accepted_at_once; ++i) {
    SocketAddress peer;
    const int fd = ::accept4(fd_, peer.data(), &peer.size(), SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      in_trouble_ = false;
      hand_over(fd, peer.text());
    } else if (errno == EAGAIN) {
      return true;
    } else if (!is_of_one_client(errno)) {
      error_ = errno;
      return false;
    }
  }
  return true;
}

void Listener::hand_over(int fd, std::string peer) noexcept {
  try {
    accepted_(fd, std::move(peer), loops_[turn_++ % loops_.size()]);
  } catch (const std::exception& e) {
    // One connection is lost, not the listener.
    ::close(fd);
    context_->logger->log(LogLevel::error, "ConnectionFailed", {{"error", e.what()}});
  }
}

Awaitable<void> Listener::survive(int error) {
  if (!in_trouble_) {
    const error_code why(error, boost::system::system_category());
    context_->logger->log(LogLevel::error, "AcceptFailed", {{"error", why.message()}});
    in_trouble_ = true;
  }
  while (is_shortage(error) && turn_one_away()) {
  }
  pause_.expires_after(pause_in_trouble);
  error_code ignored;
  co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void Listener::write_overloaded() {
  const ResponseContext context{.date = loops_.front()->date(), .close = true};
  const auto response = plain_error(rejection_of(ErrorCode::overloaded));
  overloaded_.clear();
  write_head(overloaded_, response, context);
  overloaded_ += response.body;
}

bool Listener::turn_one_away() noexcept try {
  if (spare_ < 0) return false;
  write_overloaded();
  ::close(spare_);
  const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    context_->metrics->connection_refused();
    // Reading what has come spares the client a reset; what comes later is its bad luck.
    char drop[16 * 1024];
    [[maybe_unused]] auto dropped = ::recv(fd, drop, sizeof drop, MSG_DONTWAIT);
    ::send(fd, overloaded_.data(), overloaded_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(fd, SHUT_WR);
    ::close(fd);
  }
  spare_ = open_spare();
  return fd >= 0;
} catch (...) {
  return false;  // no memory for the answer either
}

void Listener::close(Unaccepted waiting) noexcept {
  if (closed_) return;
  closed_ = true;
  try {
    // Each gets an answer; when the socket closes, those that still wait in it lose their connection.
    if (waiting == Unaccepted::answer) {
      for (int i = 0; i < accept_rounds_at_end && accept_some(); ++i) {
      }
    }
  } catch (const std::exception& e) {
    context_->logger->log(LogLevel::error, "ConnectionFailed", {{"error", e.what()}});
  }
  error_code ignored;
  socket_.close(ignored);
  pause_.cancel();
}

}  // namespace tus::server
