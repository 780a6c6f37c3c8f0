#include "hooks/outbox/listing.h"

#include <chrono>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tus::hooks {

namespace {

// A few ticks of 4 ms to 10 ms.
constexpr std::int64_t settled_after_ns = 100'000'000;

std::int64_t wall_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace

Fd open_directory(int at, const char* name) {
  return Fd(::openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

bool for_each_name(int directory, const std::function<void(std::string_view)>& see) {
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return false;
  DIR* names = ::fdopendir(copy);
  if (names == nullptr) {
    ::close(copy);
    return false;
  }
  while (const auto* entry = ::readdir(names)) see(entry->d_name);
  ::closedir(names);
  return true;
}

std::optional<Stamp> Stamp::of(int at, const char* name) {
  struct stat found{};
  if (::fstatat(at, name, &found, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  Stamp stamp;
  stamp.inode_ = found.st_ino;
  stamp.changed_ns_ = found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec;
  // Not when it changed in the future: the clock has been set.
  stamp.is_settled_ = wall_ns() - stamp.changed_ns_ > settled_after_ns;
  return stamp;
}

}  // namespace tus::hooks
