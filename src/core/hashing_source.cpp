#include "core/hashing_source.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace tus::core {

namespace {

// Bytes written; fewer with an errno in `error`.
std::size_t write_all(int fd, std::uint64_t at, std::span<const std::byte> bytes, int& error) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto rest = bytes.subspan(written);
    const auto n = ::pwrite(fd, rest.data(), rest.size(), static_cast<off_t>(at + written));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      error = n < 0 ? errno : EIO;
      break;
    }
    written += static_cast<std::size_t>(n);
  }
  return written;
}

}  // namespace

BodySource::Moved HashingSource::pull(std::span<std::byte> into) {
  auto moved = inner_.pull(into);
  observer_.saw(into.first(static_cast<std::size_t>(moved.bytes)));
  return moved;
}

BodySource::Moved HashingSource::move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                                              std::span<std::byte> scratch) {
  const auto into =
      scratch.first(static_cast<std::size_t>(std::min<std::uint64_t>(scratch.size(), max)));
  std::size_t here = 0;
  Moved moved;
  do {
    moved = inner_.pull(into.subspan(here));
    here += static_cast<std::size_t>(moved.bytes);
  } while (moved.bytes > 0 && moved.state == BodyState::open && here < into.size());
  moved.bytes = write_all(fd, at, into.first(here), moved.file_error);
  observer_.saw(into.first(static_cast<std::size_t>(moved.bytes)));
  if (moved.file_error != 0) {
    // What the file refused is gone: the body cannot go on after it.
    inner_.interrupt(BodyState::interrupted);
    moved.state = inner_.state();
  }
  return moved;
}

}  // namespace tus::core
