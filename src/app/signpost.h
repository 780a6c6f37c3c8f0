// An end that one thread tells another, which waits for signals too.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

namespace tus::app {

// Set once, from any thread; can be waited for as a descriptor.
class Signpost {
 public:
  Signpost() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Signpost() { ::close(fd_); }
  Signpost(const Signpost&) = delete;
  Signpost& operator=(const Signpost&) = delete;

  int fd() const noexcept { return fd_; }
  void set() noexcept { ::eventfd_write(fd_, 1); }
  bool is_set() const noexcept {
    eventfd_t count = 0;
    return ::eventfd_read(fd_, &count) == 0;
  }

 private:
  int fd_;
};

}  // namespace tus::app
