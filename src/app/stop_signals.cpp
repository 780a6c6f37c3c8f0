#include "app/stop_signals.h"

#include <array>
#include <csignal>
#include <poll.h>
#include <pthread.h>
#include <stdexcept>
#include <sys/signalfd.h>
#include <unistd.h>

namespace tus::app {

StopSignals::StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR2}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit of file sizes is an error of one upload
  fd_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd_ < 0) throw std::runtime_error("no descriptor for signals");
}

StopSignals::~StopSignals() { ::close(fd_); }

std::optional<int> StopSignals::next() noexcept {
  signalfd_siginfo info{};
  if (::read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

void wait_for_any(std::initializer_list<int> descriptors,
                  std::optional<std::chrono::milliseconds> at_most) noexcept {
  std::array<pollfd, 8> entries{};
  nfds_t count = 0;
  for (const int fd : descriptors) {
    if (fd >= 0 && count < entries.size()) entries.at(count++) = {fd, POLLIN, 0};
  }
  ::poll(entries.data(), count, at_most ? static_cast<int>(at_most->count()) : -1);
}

}  // namespace tus::app
