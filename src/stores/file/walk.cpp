#include "stores/file/walk.h"

#include "stores/file/file_io.h"

#include <cerrno>
#include <unistd.h>
#include <utility>

namespace tus::file_store {

namespace {

constexpr std::size_t longest_path = 1024 + info_suffix.size();  // of an id's record

unsigned char type_of(int parent, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type;
  struct stat found;
  if (::fstatat(parent, entry.d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
  if (S_ISDIR(found.st_mode)) return DT_DIR;
  return S_ISREG(found.st_mode) ? DT_REG : DT_UNKNOWN;
}

}  // namespace

Walk::Directory Walk::open_directory(int parent, const char* name) {
  const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return nullptr;
  Directory directory(::fdopendir(fd));
  if (!directory) ::close(fd);
  return directory;
}

Result<Walk> Walk::begin(int root) {
  Walk walk;
  auto directory = open_directory(root, ".");
  if (!directory) return fail(error_of_errno(errno, "list", "."));
  walk.levels_.push_back({std::move(directory), 0});
  return walk;
}

Result<std::optional<Walk::Entry>> Walk::next() {
  while (!levels_.empty()) {
    DIR* directory = levels_.back().directory.get();
    path_.resize(levels_.back().path_length);
    errno = 0;
    const auto* entry = ::readdir(directory);
    if (entry == nullptr) {
      if (errno != 0) return fail(error_of_errno(errno, "list", path_));
      levels_.pop_back();
      continue;
    }
    const std::string_view name(entry->d_name);
    if (name.starts_with('.') || path_.size() + name.size() > longest_path) continue;
    path_.append(name);
    const auto type = type_of(::dirfd(directory), *entry);
    if (type != DT_DIR) {
      return Entry{::dirfd(directory), entry->d_name, path_, type == DT_REG};
    }
    path_.push_back('/');
    auto below = open_directory(::dirfd(directory), entry->d_name);
    if (below) levels_.push_back({std::move(below), path_.size()});
  }
  return std::nullopt;
}

}  // namespace tus::file_store
