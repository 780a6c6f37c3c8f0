#include "lockers/file/left_overs.h"

#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <optional>
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

// What is looked for, and what was done.
struct Search {
  LockFiles& files;
  const std::atomic<bool>& stop;
  std::optional<std::chrono::sys_seconds> since;  // nothing younger
  std::uint64_t removed = 0;
};

bool is_wanted(const Search& search, int directory, const char* name) {
  if (!search.since) return true;
  struct stat found;
  if (::fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return std::chrono::sys_seconds(std::chrono::seconds(found.st_mtim.tv_sec)) < *search.since;
}

void look_at(Search& search, int directory, std::string_view path, const char* name) {
  constexpr std::string_view lock = ".lock";
  constexpr std::string_view stop = ".stop";
  const bool is_request = path.ends_with(stop);
  if (!is_request && !path.ends_with(lock)) return;
  if (!is_wanted(search, directory, name)) return;
  if (search.files.remove_if_stale(path.substr(0, path.size() - lock.size()))) ++search.removed;
  if (!is_request) return;
  std::string lock_name(name);
  lock_name.replace(lock_name.size() - stop.size(), stop.size(), lock);
  const bool is_asked = ::faccessat(directory, lock_name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (!is_asked && ::unlinkat(directory, name, 0) == 0) ++search.removed;
}

void walk(Search& search) {
  constexpr std::size_t longest_path = 1024 + 5;
  struct Level {
    Listing listing;
    std::size_t path_length;
  };
  std::vector<Level> levels;
  levels.push_back({list(search.files.directory().root(), "."), 0});
  std::string path;
  while (!levels.empty() && levels.back().listing && !search.stop) {
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
      look_at(search, ::dirfd(listing), path, entry->d_name);
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
  Search search{files, stop, std::nullopt};
  walk(search);
  // Last: if this is interrupted, the next start does it again.
  for (const auto& name : dead) {
    if (stop) return;
    files.process().remove_dead(name);
  }
}

std::uint64_t remove_old_locks(LockFiles& files, std::chrono::sys_seconds since,
                               const std::atomic<bool>& stop) {
  Search search{files, stop, since};
  walk(search);
  return search.removed;
}

}  // namespace tus::file_locker
