// A descriptor that lines are written to, and that may be one which nobody reads.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

namespace tus::app {

class LogSink {
 public:
  // `fd` stays the caller's. Where a write could block (pipes, terminals, sockets), it is written to without ever
  // blocking, and without changing how others who share it write.
  explicit LogSink(int fd);
  ~LogSink();
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  // How many bytes of `text` were taken; 0 when the reader has no room now, and as many as there are when writing
  // is hopeless (nobody will ever read).
  std::size_t write(std::string_view text);
  // Waits until there may be room.
  void wait(std::chrono::milliseconds longest) const;
  bool hopeless() const noexcept { return hopeless_; }

 private:
  int fd_;
  int own_fd_ = -1;  // a description of our own of the same pipe or terminal, without blocking
  bool is_socket_ = false;
  std::size_t at_once_;
  bool hopeless_ = false;
};

}  // namespace tus::app
