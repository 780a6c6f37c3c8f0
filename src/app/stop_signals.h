// The signals that this program acts on, as a descriptor that can be waited for together with others.
#pragma once

#include <chrono>
#include <initializer_list>
#include <optional>

namespace tus::app {

// Blocks SIGINT, SIGTERM, SIGHUP and SIGUSR2 in this thread and those that it starts; before there are any.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  int fd() const noexcept { return fd_; }
  // The next one that has come.
  std::optional<int> next() noexcept;

 private:
  int fd_;
};

// Waits until one of the descriptors is readable or the time is over.
void wait_for_any(std::initializer_list<int> descriptors,
                  std::optional<std::chrono::milliseconds> at_most) noexcept;

}  // namespace tus::app
