// One accepted socket: waiting with time-outs, reading and writing without blocking.
#pragma once

#include "server/input_buffer.h"
#include "server/loop.h"

#include <tus/async.h>
#include <tus/deadline.h>
#include <tus/live_settings.h>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tus::server {

// Shared so that a request from another thread to end a wait can arrive after the connection has ended.
// Everything runs on the loop, but fd(), input() and wake_body_wait(); the first two are lent to a pool
// thread while the session waits for it, and the descriptor stays open until the session ends.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  enum class Waited : std::uint8_t { ready, timed_out, cancelled };
  // What a wait is for decides who may end it.
  enum class Purpose : std::uint8_t { none, request, body, answer, linger };

  // Takes over the descriptor of a stream socket of any kind, which does not block; not when it throws.
  // The settings outlive it.
  Connection(int fd, std::string peer, std::shared_ptr<Loop> loop, const LiveSettings& settings);

  int fd() const noexcept { return fd_; }
  Loop& loop() noexcept { return *loop_; }
  InputBuffer& input() noexcept { return input_; }
  // "127.0.0.1:5432", or "@" on a Unix socket, as Go has it.
  const std::string& peer() const noexcept { return peer_; }

  Awaitable<Waited> wait_readable(Purpose purpose, Deadline deadline);
  Awaitable<Waited> wait_writable(Deadline deadline);
  // The parts of a wait for a body, for the one coroutine that thousands of stalled uploads each keep:
  // a frame less is memory saved. False: the connection was cut.
  bool begin_wait(Purpose purpose, Deadline deadline);
  Awaitable<void> readable(boost::system::error_code& ec);
  Waited end_wait(const boost::system::error_code& ec) noexcept;
  // Waits for nothing but the end of the connection.
  Awaitable<Waited> wait_gone(Deadline deadline);
  Deadline network_deadline() const noexcept;

  // Receives what is here: > 0 bytes, 0 at the end, or -errno.
  long receive(std::span<std::byte> into) noexcept;
  // Sends both parts one after the other; false when the client does not take them any more.
  Awaitable<bool> send(std::string_view head, std::string_view body);

  // Nothing more will be sent.
  void end_output() noexcept;
  // Whether the connection is broken or closed both ways, without waiting.
  bool gone() const noexcept;

  // Ends a wait for bytes of a body. Any thread.
  void wake_body_wait() noexcept;
  void cancel_wait(Purpose purpose) noexcept;
  void check_deadline(Deadline::Point now);
  // Every wait, read and write from now on ends at once.
  void cut() noexcept;
  void close() noexcept;

 private:
  using WaitType = asio::posix::stream_descriptor::wait_type;
  Awaitable<Waited> wait(WaitType what, Purpose purpose, Deadline deadline);
  long send_some(std::string_view head, std::string_view body) noexcept;
  Awaitable<bool> send_rest(std::string head, std::string_view body);

  asio::posix::stream_descriptor socket_;  // waits; the rest is done by hand
  std::shared_ptr<Loop> loop_;
  int fd_;
  Purpose purpose_ = Purpose::none;
  bool timed_out_ = false;
  bool cut_ = false;
  const LiveSettings& settings_;
  Deadline deadline_ = Deadline::never();
  InputBuffer input_;
  std::string peer_;
};

}  // namespace tus::server
