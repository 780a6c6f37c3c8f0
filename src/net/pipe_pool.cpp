#include "net/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

namespace tus::net {

namespace {

// Unprivileged users may own only so many pipe pages (/proc/sys/fs/pipe-user-pages-soft): when the large
// sizes are used up, smaller ones still work.
std::size_t grow(int fd) {
  for (int size : {1 << 20, 256 << 10}) {
    int got = ::fcntl(fd, F_SETPIPE_SZ, size);
    if (got > 0) return static_cast<std::size_t>(got);
  }
  int got = ::fcntl(fd, F_GETPIPE_SZ);
  return got > 0 ? static_cast<std::size_t>(got) : 4096;
}

}  // namespace

Pipe::~Pipe() {
  if (!valid()) return;
  ::close(read_end_);
  ::close(write_end_);
}

Pipe PipePool::take() {
  {
    std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      Pipe pipe = std::move(free_.back());
      free_.pop_back();
      return pipe;
    }
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Pipe();
  return Pipe(ends[0], ends[1], grow(ends[1]));
}

void PipePool::give_back(Pipe pipe) noexcept {
  std::lock_guard lock(mutex_);
  if (free_.size() >= keep_) return;
  try {
    free_.push_back(std::move(pipe));
  } catch (...) {
    // Without memory to remember it the pipe is closed.
  }
}

}  // namespace tus::net
