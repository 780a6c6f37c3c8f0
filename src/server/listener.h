// Accepts connections on one address and spreads them over the loops.
#pragma once

#include "server/context.h"
#include "server/loop.h"

#include <tus/error.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tus::server {

class Listener {
 public:
  // Called on the listener's loop with a socket that lives on `loop`.
  using Accepted = std::function<void(asio::ip::tcp::socket, std::shared_ptr<Loop> loop)>;

  Listener(std::vector<std::shared_ptr<Loop>> loops, std::shared_ptr<Context> context);
  ~Listener();

  // "" and "0.0.0.0": both address families. The error's detail is a sentence for the operator.
  Result<std::uint16_t> open(const std::string& host, std::uint16_t port);

  asio::any_io_executor executor() { return acceptor_.get_executor(); }
  // Until close(). On executor().
  static Awaitable<void> run(std::shared_ptr<Listener> self, Accepted accepted);
  // On executor().
  void close() noexcept;

 private:
  boost::system::error_code bind(const asio::ip::tcp::endpoint& endpoint);
  void hand_over(const Accepted& accepted, asio::ip::tcp::socket socket,
                 std::shared_ptr<Loop> loop) noexcept;
  Awaitable<void> survive(boost::system::error_code ec);
  void write_overloaded();
  bool turn_one_away() noexcept;

  std::vector<std::shared_ptr<Loop>> loops_;
  std::shared_ptr<Context> context_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  int spare_ = -1;  // given up for a moment to answer a client when there are no descriptors left
  std::string overloaded_;
  bool closed_ = false;
  bool in_trouble_ = false;
};

}  // namespace tus::server
