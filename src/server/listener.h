// Accepts connections on one socket and spreads them over the loops.
#pragma once

#include "server/accepted_socket.h"
#include "server/context.h"
#include "server/listening_socket.h"
#include "server/loop.h"
#include "server/socket_address.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tus::server {

class Listener {
 public:
  // Called on the listener's loop with a socket for `loop`. Takes its descriptor over, but not when it throws.
  using Accepted = std::function<void(AcceptedSocket socket, std::shared_ptr<Loop> loop)>;

  Listener(ListeningSocket socket, std::vector<std::shared_ptr<Loop>> loops,
           std::shared_ptr<Context> context, Accepted accepted);
  ~Listener();

  asio::any_io_executor executor() { return socket_.get_executor(); }
  // Until close(). On executor().
  static Awaitable<void> run(std::shared_ptr<Listener> self);
  // On executor(). `waiting`: what becomes of clients that have connected and were not accepted yet.
  void close(Unaccepted waiting) noexcept;

 private:
  bool accept_some();
  // Lets it in or refuses it. False: no more of them for a moment.
  bool admit(int fd, const SocketAddress& peer) noexcept;
  bool admit_or_refuse(int fd, std::string peer);
  Awaitable<void> survive(int error);
  void refuse(int fd, ErrorCode code, Refusal why);
  bool turn_one_away() noexcept;

  std::vector<std::shared_ptr<Loop>> loops_;
  std::shared_ptr<Context> context_;
  Accepted accepted_;
  asio::posix::stream_descriptor socket_;
  int fd_;
  asio::steady_timer pause_;
  std::size_t turn_ = 0;
  int spare_ = -1;  // given up for a moment to answer a client when there are no descriptors left
  int error_ = 0;   // why accept_some() went no further; 0: it is crowded
  std::string refusal_;
  bool closed_ = false;
  Deadline::Point silent_until_{};  // so that trouble does not fill the log
};

}  // namespace tus::server
