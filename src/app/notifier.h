// Tells the service manager how this process is doing (the protocol of sd_notify).
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>

namespace tus::app {

// Our own forty lines and not libsystemd: the protocol is one datagram to a Unix socket and promised to
// stay, and the library would come with every container image.
class Notifier {
 public:
  // `socket`: the value of NOTIFY_SOCKET; empty: nobody is told.
  explicit Notifier(std::string socket) : socket_(std::move(socket)) {}

  const std::string& socket() const noexcept { return socket_; }

  void ready() const;
  // A reload begins; ready() ends it.
  void reloading() const;
  void stopping() const;
  // Another process goes on.
  void main_process_is(pid_t pid) const;

 private:
  void send(std::string_view state) const;

  std::string socket_;
};

}  // namespace tus::app
