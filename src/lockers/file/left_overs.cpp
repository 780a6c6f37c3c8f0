#include "lockers/file/left_overs.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace tus::file_locker {

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};
using Listing = std::unique_ptr<DIR, CloseDirectory>;

Listing list(int parent, const char* name) {
  Fd fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return nullptr;
  Listing listing(::fdopendir(fd.get()));
  if (listing) (void)fd.release();
  return listing;
}

bool is_directory(int parent, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat found;
  return ::fstatat(parent, entry.d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR(found.st_mode);
}

void look_at(LockFiles& files, int directory, std::string_view path, const char* name) {
  constexpr std::string_view lock = ".lock";
  constexpr std::string_view stop = ".stop";
  const auto upload = path.substr(0, path.size() - std::min(path.size(), lock.size()));
  if (path.ends_with(lock)) {
    files.remove_if_stale(upload);
  } else if (path.ends_with(stop)) {
    files.remove_if_stale(upload);
    std::string lock_name(name);
    lock_name.replace(lock_name.size() - stop.size(), stop.size(), lock);
    if (::faccessat(directory, lock_name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
      ::unlinkat(directory, name, 0);
    }
  }
}

void walk(LockFiles& files, const std::atomic<bool>& stop) {
  constexpr std::size_t longest_path = 1024 + 5;
  struct Level {
    Listing listing;
    std::size_t path_length;
  };
  std::vector<Level> levels;
  levels.push_back({list(files.directory().root(), "."), 0});
  std::string path;
  while (!levels.empty() && levels.back().listing && !stop) {
    DIR* listing = levels.back().listing.get();
    path.resize(levels.back().path_length);
    const auto* entry = ::readdir(listing);
    if (entry == nullptr) {
      levels.pop_back();
      continue;
    }
    const std::string_view name(entry->d_name);
    if (name.starts_with('.') || path.size() + name.size() > longest_path) continue;
    path.append(name);
    if (!is_directory(::dirfd(listing), *entry)) {
      look_at(files, ::dirfd(listing), path, entry->d_name);
      continue;
    }
    path.push_back('/');
    auto below = list(::dirfd(listing), entry->d_name);
    if (below) levels.push_back({std::move(below), path.size()});
  }
}

}  // namespace

void remove_left_overs(LockFiles& files, const std::atomic<bool>& stop) {
  const auto dead = files.process().dead();
  if (dead.empty()) return;
  walk(files, stop);
  // Last: if this is interrupted, the next start does it again.
  for (const auto& name : dead) {
    if (stop) return;
    files.process().remove_dead(name);
  }
}

}  // namespace tus::file_locker
