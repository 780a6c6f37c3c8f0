#include "server/connection.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace tus::server {

Connection::Connection(int fd, std::string peer, std::shared_ptr<Loop> loop,
                       const LiveSettings& settings)
    : socket_(loop->executor(), fd),
      loop_(std::move(loop)),
      fd_(fd),
      settings_(settings),
      peer_(std::move(peer)) {}

Deadline Connection::network_deadline() const noexcept {
  const auto patience = settings_.network_timeout.load(std::memory_order_relaxed);
  if (patience.count() == 0) return Deadline::never();
  return Deadline::after(std::chrono::steady_clock::now(), patience);
}

Awaitable<Connection::Waited> Connection::wait_readable(Purpose purpose, Deadline deadline) {
  return wait(WaitType::wait_read, purpose, deadline);
}

Awaitable<Connection::Waited> Connection::wait_writable(Deadline deadline) {
  return wait(WaitType::wait_write, Purpose::answer, deadline);
}

Awaitable<Connection::Waited> Connection::wait_gone(Deadline deadline) {
  return wait(WaitType::wait_error, Purpose::linger, deadline);
}

Awaitable<Connection::Waited> Connection::wait(WaitType what, Purpose purpose, Deadline deadline) {
  if (!begin_wait(purpose, deadline)) co_return Waited::cancelled;
  boost::system::error_code ec;
  co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, ec));
  co_return end_wait(ec);
}

bool Connection::begin_wait(Purpose purpose, Deadline deadline) {
  if (cut_) return false;
  purpose_ = purpose;
  deadline_ = deadline;
  timed_out_ = false;
  loop_->expect_deadline(deadline);
  return true;
}

Awaitable<void> Connection::readable(boost::system::error_code& ec) {
  return socket_.async_wait(WaitType::wait_read, asio::redirect_error(asio::use_awaitable, ec));
}

Connection::Waited Connection::end_wait(const boost::system::error_code& ec) noexcept {
  purpose_ = Purpose::none;
  deadline_ = Deadline::never();
  if (cut_) return Waited::cancelled;
  // Other errors show again, with their own name, when the socket is used.
  if (ec != asio::error::operation_aborted) return Waited::ready;
  return timed_out_ ? Waited::timed_out : Waited::cancelled;
}

long Connection::receive(std::span<std::byte> into) noexcept {
  for (;;) {
    auto n = ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

Awaitable<bool> Connection::send(std::string_view head, std::string_view body) {
  // Nearly always all of it fits into the socket's buffer, and `head` may live in a buffer of the loop
  // that the next co_await gives to somebody else.
  auto sent = send_some(head, body);
  if (sent == static_cast<long>(head.size() + body.size())) co_return true;
  if (sent < 0 && sent != -EAGAIN) co_return false;
  auto gone_out = static_cast<std::size_t>(std::max(sent, 0L));
  auto of_head = std::min(gone_out, head.size());
  co_return co_await send_rest(std::string(head.substr(of_head)), body.substr(gone_out - of_head));
}

Awaitable<bool> Connection::send_rest(std::string head, std::string_view body) {
  std::string_view left = head;
  while (!left.empty() || !body.empty()) {
    if (co_await wait_writable(network_deadline()) != Waited::ready) {
      if (cut_ || timed_out_) co_return false;
      continue;
    }
    auto sent = send_some(left, body);
    if (sent == -EAGAIN) continue;
    if (sent < 0) co_return false;
    auto of_head = std::min(static_cast<std::size_t>(sent), left.size());
    left.remove_prefix(of_head);
    body.remove_prefix(static_cast<std::size_t>(sent) - of_head);
  }
  co_return true;
}

long Connection::send_some(std::string_view head, std::string_view body) noexcept {
  iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                    {const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = body.empty() ? 1 : 2;
  for (;;) {
    auto n = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return n;
    if (errno != EINTR) return errno == EWOULDBLOCK ? -EAGAIN : -errno;
  }
}

void Connection::end_output() noexcept { ::shutdown(fd_, SHUT_WR); }

bool Connection::gone() const noexcept {
  if (cut_) return true;
  pollfd p{fd_, 0, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

void Connection::wake_body_wait() noexcept {
  try {
    asio::post(loop_->executor(),
               [self = shared_from_this()] { self->cancel_wait(Purpose::body); });
  } catch (...) {
    // Out of memory: the body's state says it all the same, at the latest when the wait times out.
  }
}

void Connection::cancel_wait(Purpose purpose) noexcept {
  if (purpose_ != purpose || purpose == Purpose::none) return;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Connection::check_deadline(Deadline::Point now) {
  if (purpose_ == Purpose::none) return;
  if (!deadline_.passed(now)) {
    loop_->expect_deadline(deadline_);
    return;
  }
  timed_out_ = true;
  cancel_wait(purpose_);
}

void Connection::cut() noexcept {
  cut_ = true;
  // Not closed: a pool thread may be using the descriptor, and its number must not be given to another
  // connection before that thread is done.
  ::shutdown(fd_, SHUT_RDWR);
  cancel_wait(purpose_);
}

void Connection::close() noexcept {
  cut_ = true;
  input_.release();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace tus::server
