#include "stores/file/scan.h"

#include "stores/file/file_io.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <memory>
#include <queue>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace tus::file_store {

namespace {

constexpr std::string_view info_suffix = ".info";
constexpr std::size_t longest_path = 1024 + info_suffix.size();  // of an id's record

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Directory open_directory(int parent, const char* name) {
  int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return nullptr;
  Directory directory(::fdopendir(fd));
  if (!directory) ::close(fd);
  return directory;
}

bool is_directory(int parent, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat found;
  return ::fstatat(parent, entry.d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR(found.st_mode);
}

// Calls visit(directory, name, path) for every file below `root` that may belong to an upload. A
// directory that goes away meanwhile is passed over.
template <class Visit>
Status walk(int root, Visit visit) {
  struct Level {
    Directory directory;
    std::size_t path_length;
  };
  std::vector<Level> levels;
  std::string path;
  levels.push_back({open_directory(root, "."), 0});
  if (!levels.back().directory) return fail(error_of_errno(errno, "list", "."));
  while (!levels.empty()) {
    DIR* directory = levels.back().directory.get();
    path.resize(levels.back().path_length);
    errno = 0;
    auto* entry = ::readdir(directory);
    if (!entry) {
      if (errno != 0) return fail(error_of_errno(errno, "list", path));
      levels.pop_back();
      continue;
    }
    std::string_view name(entry->d_name);
    if (name.starts_with('.') || path.size() + name.size() > longest_path) continue;
    path.append(name);
    if (!is_directory(::dirfd(directory), *entry)) {
      visit(::dirfd(directory), entry->d_name, std::string_view(path));
      continue;
    }
    path.push_back('/');
    auto below = open_directory(::dirfd(directory), entry->d_name);
    if (below) levels.push_back({std::move(below), path.size()});
  }
  return {};
}

}  // namespace

Result<ListPage> list_ids(int root, const std::string& cursor, std::size_t most) {
  // The smallest ids behind the cursor, the largest of them on top; one more than fits shows that there
  // is another page.
  std::priority_queue<UploadId> smallest;
  auto walked = walk(root, [&](int, const char*, std::string_view path) {
    if (!path.ends_with(info_suffix)) return;
    path.remove_suffix(info_suffix.size());
    if (path <= cursor) return;
    if (smallest.size() > most && path > smallest.top().str()) return;
    auto id = UploadId::parse(path);
    if (!id) return;
    smallest.push(*std::move(id));
    if (smallest.size() > most + 1) smallest.pop();
  });
  if (!walked) return fail(walked.error());

  ListPage page;
  bool more = smallest.size() > most;
  if (more) smallest.pop();
  page.ids.resize(smallest.size());
  for (auto i = page.ids.size(); i-- > 0; smallest.pop()) page.ids[i] = smallest.top();
  if (more) page.next = page.ids.back().str();
  return page;
}

Result<StoreUsage> measure(int root) {
  StoreUsage usage;
  auto walked = walk(root, [&](int directory, const char* name, std::string_view path) {
    if (path.ends_with(info_suffix)) {
      ++usage.uploads;
      return;
    }
    struct stat found;
    if (::fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode)) {
      usage.bytes += static_cast<std::uint64_t>(found.st_size);
    }
  });
  if (!walked) return fail(walked.error());
  return usage;
}

}  // namespace tus::file_store
