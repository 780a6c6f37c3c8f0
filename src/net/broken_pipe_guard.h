// No SIGPIPE from code of others that writes to sockets with write(2).
#pragma once

#include <csignal>
#include <ctime>

namespace tus::net {

// curl has MSG_NOSIGNAL, but OpenSSL writes for it, and programs that use the library may want to live.
class [[nodiscard]] BrokenPipeGuard {
 public:
  BrokenPipeGuard() noexcept {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~BrokenPipeGuard() {
    if (::sigismember(&before_, SIGPIPE) == 1) return;
    constexpr timespec at_once{};
    ::sigtimedwait(&pipe_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BrokenPipeGuard(const BrokenPipeGuard&) = delete;
  BrokenPipeGuard& operator=(const BrokenPipeGuard&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

}  // namespace tus::net
