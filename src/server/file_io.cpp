#include "server/file_io.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace tus::server {

namespace {

// For file systems and file kinds without splice.
std::uint64_t copy_pipe(int pipe_end, std::size_t count, int fd, std::uint64_t at,
                        std::span<std::byte> scratch, int& file_error) noexcept {
  std::uint64_t written = 0;
  while (written < count && file_error == 0) {
    auto most = std::min<std::uint64_t>(scratch.size(), count - written);
    auto n = ::read(pipe_end, scratch.data(), static_cast<std::size_t>(most));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      file_error = EIO;
      break;
    }
    written += write_all(fd, at + written, scratch.first(static_cast<std::size_t>(n)), file_error);
  }
  return written;
}

}  // namespace

std::uint64_t write_all(int fd, std::uint64_t at, std::span<const std::byte> bytes,
                        int& file_error) noexcept {
  std::uint64_t written = 0;
  while (written < bytes.size()) {
    auto left = bytes.subspan(static_cast<std::size_t>(written));
    auto n = ::pwrite(fd, left.data(), left.size(), static_cast<off_t>(at + written));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      file_error = n < 0 ? errno : ENOSPC;
      break;
    }
    written += static_cast<std::uint64_t>(n);
  }
  return written;
}

std::uint64_t drain_pipe(int pipe_end, std::size_t count, int fd, std::uint64_t at,
                         std::span<std::byte> scratch, int& file_error) noexcept {
  std::uint64_t written = 0;
  while (written < count) {
    auto offset = static_cast<off64_t>(at + written);
    auto n = ::splice(pipe_end, nullptr, fd, &offset, count - static_cast<std::size_t>(written),
                      SPLICE_F_MOVE);
    if (n > 0) {
      written += static_cast<std::uint64_t>(n);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && errno == EINVAL) {
      return written + copy_pipe(pipe_end, count - static_cast<std::size_t>(written), fd,
                                 at + written, scratch, file_error);
    } else {
      file_error = n < 0 ? errno : EIO;
      break;
    }
  }
  return written;
}

}  // namespace tus::server
