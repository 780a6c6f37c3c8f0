#include "server/listener.h"

#include "server/response_writer.h"

#include <boost/asio/ip/v6_only.hpp>
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

using asio::ip::tcp;
using boost::system::error_code;

constexpr int backlog = 4096;
constexpr std::chrono::milliseconds pause_in_trouble{20};
int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool is_shortage(const error_code& ec) {
  return ec.value() == EMFILE || ec.value() == ENFILE || ec.value() == ENOBUFS ||
         ec.value() == ENOMEM;
}

// The client gave up, or was refused, between connecting and being accepted.
bool is_of_one_client(const error_code& ec) {
  return ec.value() == ECONNABORTED || ec.value() == EPROTO || ec.value() == EPERM ||
         ec.value() == EINTR;
}

// The addresses that a name stands for, IPv4 first, as Go's listener prefers it.
std::vector<tcp::endpoint> resolve(const std::string& host, std::uint16_t port,
                                   const asio::any_io_executor& executor, error_code& ec) {
  std::string name = host;
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  if (auto address = asio::ip::make_address(name, ec); !ec) return {{address, port}};
  tcp::resolver resolver(executor);
  std::vector<tcp::endpoint> found;
  for (const auto& entry :
       resolver.resolve(name, std::to_string(port), tcp::resolver::passive, ec)) {
    auto endpoint = entry.endpoint();
    found.insert(endpoint.address().is_v4() ? found.begin() : found.end(), endpoint);
  }
  return found;
}

}  // namespace

Listener::Listener(std::vector<std::shared_ptr<Loop>> loops, std::shared_ptr<Context> context)
    : loops_(std::move(loops)),
      context_(std::move(context)),
      acceptor_(loops_.front()->executor()),
      pause_(loops_.front()->executor()),
      spare_(open_spare()) {}

Listener::~Listener() {
  if (spare_ >= 0) ::close(spare_);
}

error_code Listener::bind(const tcp::endpoint& endpoint) {
  error_code ec;
  error_code ignored;
  acceptor_.close(ignored);
  acceptor_.open(endpoint.protocol(), ec);
  if (ec) return ec;
  acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  const bool any_v6 = endpoint.address().is_v6() && endpoint.address().is_unspecified();
  if (!ec && any_v6) acceptor_.set_option(asio::ip::v6_only(false), ec);
  // Accepted sockets inherit it.
  if (!ec) acceptor_.set_option(tcp::no_delay(true), ec);
  if (!ec) acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(backlog, ec);
  return ec;
}

Result<std::uint16_t> Listener::open(const std::string& host, std::uint16_t port) {
  error_code ec;
  if (host.empty() || host == "0.0.0.0") {
    ec = bind({tcp::v6(), port});
    // Machines without IPv6.
    if (ec == asio::error::address_family_not_supported || ec.value() == EADDRNOTAVAIL) {
      ec = bind({tcp::v4(), port});
    }
  } else {
    const auto endpoints = resolve(host, port, acceptor_.get_executor(), ec);
    for (const auto& endpoint : endpoints) {
      ec = bind(endpoint);
      if (!ec) break;
    }
  }
  if (ec) {
    return fail(ErrorCode::store_unavailable,
                "cannot listen on " + host + ":" + std::to_string(port) + ": " + ec.message());
  }
  return acceptor_.local_endpoint().port();
}

Awaitable<void> Listener::run(std::shared_ptr<Listener> self, Accepted accepted) {
  std::size_t turn = 0;
  while (!self->closed_) {
    auto loop = self->loops_[turn++ % self->loops_.size()];
    error_code ec;
    auto socket = co_await self->acceptor_.async_accept(
        loop->executor(), asio::redirect_error(asio::use_awaitable, ec));
    if (self->closed_) break;
    if (!ec) {
      self->in_trouble_ = false;
      self->hand_over(accepted, std::move(socket), std::move(loop));
    } else if (!is_of_one_client(ec)) {
      co_await self->survive(ec);
    }
  }
}

void Listener::hand_over(const Accepted& accepted, tcp::socket socket,
                         std::shared_ptr<Loop> loop) noexcept {
  try {
    accepted(std::move(socket), std::move(loop));
  } catch (const std::exception& e) {
    // One connection is lost, not the listener.
    context_->logger->log(LogLevel::error, "ConnectionFailed", {{"error", e.what()}});
  }
}

Awaitable<void> Listener::survive(error_code ec) {
  if (!in_trouble_) {
    context_->logger->log(LogLevel::error, "AcceptFailed", {{"error", ec.message()}});
    in_trouble_ = true;
  }
  while (is_shortage(ec) && turn_one_away()) {
  }
  pause_.expires_after(pause_in_trouble);
  co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
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
  const int fd =
      ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
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

void Listener::close() noexcept {
  closed_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

}  // namespace tus::server
