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
constexpr std::chrono::seconds time_between_complaints{5};

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
      error_ = 0;
      if (!admit(fd, peer)) return false;
    } else if (errno == EAGAIN) {
      return true;
    } else if (!is_of_one_client(errno)) {
      error_ = errno;
      return false;
    }
  }
  return true;
}

bool Listener::admit(int fd, const SocketAddress& peer) noexcept {
  try {
    return admit_or_refuse(fd, peer.text());
  } catch (const std::exception& e) {
    // One connection is lost, not the listener.
    ::close(fd);
    context_->logger->log(LogLevel::error, "ConnectionFailed", {{"error", e.what()}});
    return true;
  }
}

bool Listener::admit_or_refuse(int fd, std::string peer) {
  const auto& live = context_->live();
  AcceptedSocket socket{.fd = fd, .peer = std::move(peer)};
  // Behind a proxy the connections of all clients come from one address; then their requests are counted.
  const auto limit = live.max_connections_per_address.load(std::memory_order_relaxed);
  const auto key =
      limit > 0 && !context_->options.behind_proxy ? client_key(socket.peer) : std::nullopt;
  if (key) {
    auto share = context_->connection_shares.take(*key, limit);
    if (!share) {
      refuse(fd, ErrorCode::too_many_connections, Refusal::per_address);
      return true;
    }
    socket.share = std::make_unique<ClientShares::Share>(*std::move(share));
  }
  const auto verdict = context_->admission->judge();
  if (verdict == Admission::Verdict::full) {
    refuse(fd, ErrorCode::overloaded, Refusal::connections);
    return true;
  }
  socket.place = context_->admission->take_place();
  accepted_(std::move(socket), loops_[turn_++ % loops_.size()]);
  return verdict == Admission::Verdict::welcome;
}

Awaitable<void> Listener::survive(int error) {
  const auto now = std::chrono::steady_clock::now();
  if (error != 0 && now >= silent_until_) {
    const error_code why(error, boost::system::system_category());
    context_->logger->log(LogLevel::error, "AcceptFailed", {{"error", why.message()}});
    silent_until_ = now + time_between_complaints;
  }
  // Whoever waits for nothing in particular makes room; the newcomer waits in the socket until then.
  if (is_shortage(error) && !context_->admission->make_room()) {
    while (turn_one_away()) {
    }
  }
  pause_.expires_after(pause_in_trouble);
  error_code ignored;
  co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

// Takes the descriptor over, but not when it throws.
void Listener::refuse(int fd, ErrorCode code, Refusal why) {
  const ResponseContext context{.date = loops_.front()->date(), .close = true};
  const auto response = plain_error(rejection_of(code));
  refusal_.clear();
  write_head(refusal_, response, context);
  refusal_ += response.body;
  context_->metrics->connection_refused(why);
  // Reading what has come spares the client a reset; what comes later is its bad luck.
  char drop[16 * 1024];
  [[maybe_unused]] auto dropped = ::recv(fd, drop, sizeof drop, MSG_DONTWAIT);
  ::send(fd, refusal_.data(), refusal_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(fd, SHUT_WR);
  ::close(fd);
}

bool Listener::turn_one_away() noexcept try {
  if (spare_ < 0) spare_ = open_spare();
  if (spare_ < 0) return false;
  ::close(std::exchange(spare_, -1));
  const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    try {
      refuse(fd, ErrorCode::overloaded, Refusal::no_descriptor);
    } catch (...) {
      ::close(fd);  // no memory for the answer either
    }
  }
  spare_ = open_spare();
  return fd >= 0;
} catch (...) {
  return false;
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
