#include "lockers/file/directory.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace tus::file_locker {

namespace {

constexpr int step_flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

Place at_root(int root, std::string_view path) {
  Place place;
  place.dir = root;
  place.leaf = path;
  return place;
}

}  // namespace

Error error_of_errno(int code, std::string_view what, std::string_view path) {
  const bool full = code == ENOSPC || code == EDQUOT;
  std::string detail(what);
  detail.append(" ").append(path).append(": ").append(std::generic_category().message(code));
  return Error(full ? ErrorCode::no_space : ErrorCode::store_unavailable, std::move(detail));
}

bool write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool Directory::is_removed() const noexcept {
  struct stat found;
  return ::fstat(root_.get(), &found) == 0 && found.st_nlink == 0;
}

bool Directory::reopen_if_gone() const noexcept {
  struct stat found;
  const bool dead = ::fstat(root_.get(), &found) != 0;
  if (!dead && found.st_nlink > 0) return false;
  const Fd again(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return false;
  // Where a mount is missing there may be an empty directory, which is not ours to fill.
  if (dead && ::faccessat(again.get(), ".tusd", F_OK, 0) != 0) return false;
  return ::dup3(again.get(), root_.get(), O_CLOEXEC) >= 0;
}

Place Directory::find(std::string_view path) const {
  Place place = at_root(root_.get(), path);
  for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/')) {
    const std::string name(path.substr(0, slash));
    Fd next(::openat(place.dir, name.c_str(), step_flags));
    path.remove_prefix(slash + 1);
    place.dir = next.get();
    place.owned = std::move(next);
    if (!place) return place;
  }
  place.leaf = path;
  return place;
}

Result<Place> Directory::find_or_make(std::string_view path) const {
  Place place = at_root(root_.get(), path);
  for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/')) {
    const std::string name(path.substr(0, slash));
    Fd next(::openat(place.dir, name.c_str(), step_flags));
    if (!next && errno == ENOENT) {
      if (::mkdirat(place.dir, name.c_str(), dir_perms_) != 0 && errno != EEXIST) {
        return fail(error_of_errno(errno, "mkdir", name));
      }
      next = Fd(::openat(place.dir, name.c_str(), step_flags));
    }
    if (!next && errno != ENOTDIR && errno != ELOOP && errno != ENOENT) {
      return fail(error_of_errno(errno, "open", name));
    }
    path.remove_prefix(slash + 1);
    place.dir = next.get();
    place.owned = std::move(next);
    if (!place) return place;
  }
  place.leaf = path;
  return place;
}

void Directory::remove_empty_above(std::string_view path) const noexcept {
  for (auto slash = path.rfind('/'); slash != path.npos; slash = path.rfind('/')) {
    path = path.substr(0, slash);
    const auto place = find(path);
    if (!place || ::unlinkat(place.dir, place.leaf.c_str(), AT_REMOVEDIR) != 0) return;
  }
}

}  // namespace tus::file_locker
