#include "stores/file/layout.h"

#include <filesystem>
#include <optional>
#include <unistd.h>

namespace tus::file_store {

namespace {

constexpr int directory_flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;

std::string_view path_of(const std::map<std::string, std::string>& storage) {
  auto it = storage.find("Path");
  return it == storage.end() ? std::string_view() : std::string_view(it->second);
}

// The path without "." and "..", or nothing when it would leave the directory or touch our side files.
std::optional<std::string> plain_relative(std::string_view path) {
  auto plain = std::filesystem::path(path).lexically_normal().generic_string();
  bool outside = plain == "." || plain == ".." || plain.starts_with("../");
  bool ours = plain == ".tusd" || plain.starts_with(".tusd/");
  bool directory = plain.empty() || plain.back() == '/';
  bool binary = plain.find('\0') != std::string::npos;
  if (outside || ours || directory || binary) return std::nullopt;
  return plain;
}

}  // namespace

Layout::Layout(FileIo& io, Fd root, std::string path, mode_t dir_perms, FsyncPolicy fsync)
    : io_(io),
      root_(std::move(root)),
      path_(std::move(path)),
      dir_perms_(dir_perms),
      fsync_(fsync) {}

Result<Fd> Layout::step_into(const Name& directory, Missing missing) {
  auto found = io_.open(directory, directory_flags);
  if (found || missing == Missing::fail || !(found.error() == ErrorCode::upload_not_found)) {
    return found;
  }
  return make_step(directory);
}

Result<Fd> Layout::make_step(const Name& directory) {
  // Once more, because who ends another upload may just be removing the empty directory.
  for (int i = 0;; ++i) {
    auto made = io_.make_directory(directory, dir_perms_);
    if (!made) return fail(made.error());
    auto found = io_.open(directory, directory_flags);
    if (found || !(found.error() == ErrorCode::upload_not_found)) return found;
    if (i > 0) return found;
    auto other = io_.size(directory, AT_SYMLINK_NOFOLLOW);
    bool there = other || other.error() == ErrorCode::upload_damaged;
    if (there && !*made) return fail(ErrorCode::upload_exists, "no directory: " + directory.leaf);
  }
}

void Layout::remove_empty_directories(const UploadId& id) {
  std::string_view path = id.str();
  for (auto slash = path.rfind('/'); slash != std::string_view::npos; slash = path.rfind('/')) {
    path = path.substr(0, slash);
    auto place = at(path);
    if (!place || !io_.remove_directory(place->name)) return;
  }
}

Result<Place> Layout::at(std::string_view relative, Missing missing) {
  Place place;
  place.name.dir = root_.get();
  for (auto slash = relative.find('/'); slash != std::string_view::npos;
       slash = relative.find('/')) {
    place.name.leaf = relative.substr(0, slash);
    auto next = step_into(place.name, missing);
    if (!next) return fail(next.error());
    place.owned = *std::move(next);
    place.name.dir = place.owned.get();
    relative.remove_prefix(slash + 1);
  }
  place.name.leaf = relative;
  return place;
}

Result<Place> Layout::info_file(const UploadId& id, Missing missing) {
  auto place = at(id.str(), missing);
  if (place) place->name.leaf.append(".info");
  return place;
}

bool Layout::is_default(const UploadId& id,
                        const std::map<std::string, std::string>& storage) const {
  auto path = path_of(storage);
  if (path.empty()) return true;
  const auto& name = id.str();
  return path.size() == path_.size() + 1 + name.size() && path.starts_with(path_) &&
         path[path_.size()] == '/' && path.ends_with(name);
}

Result<Place> Layout::data_file(const UploadId& id,
                                const std::map<std::string, std::string>& storage,
                                Missing missing) {
  if (is_default(id, storage)) return at(id.str(), missing);
  std::string path(path_of(storage));
  if (path.find('\0') != std::string::npos) {
    return fail(ErrorCode::internal, "Storage.Path holds a zero byte");
  }
  if (path.front() == '/') {
    if (missing == Missing::make) {
      if (auto made = make_above(path); !made) return fail(made.error());
    }
    return Place{Fd(), Name{AT_FDCWD, std::move(path)}};
  }
  auto plain = plain_relative(path);
  if (!plain) return fail(ErrorCode::internal, "Storage.Path leaves the directory: " + path);
  return at(*plain, missing);
}

std::optional<std::string> Layout::inside_old_directory(const UploadInfo& info) {
  const auto record = info.storage.find("InfoPath");
  if (record == info.storage.end()) return std::nullopt;
  std::string_view directory(record->second);
  const auto name = info.id.str() + ".info";
  if (!directory.ends_with(name)) return std::nullopt;
  directory.remove_suffix(name.size());  // with the slash at its end, or empty
  if (!directory.empty() && directory.back() != '/') return std::nullopt;
  auto path = path_of(info.storage);
  if (!path.starts_with(directory)) return std::nullopt;
  path.remove_prefix(directory.size());
  if (path.starts_with('/')) return std::nullopt;
  return plain_relative(path);
}

Status Layout::make_above(const std::string& absolute) {
  for (auto slash = absolute.find('/', 1); slash != std::string::npos;
       slash = absolute.find('/', slash + 1)) {
    auto directory = absolute.substr(0, slash);
    auto made = io_.make_directory({AT_FDCWD, directory}, dir_perms_);
    if (!made) return fail(made.error());
    if (!*made || fsync_ == FsyncPolicy::off) continue;
    // At once: who makes the file safe later does not know what was made on the way to it.
    if (auto synced = sync_directory_of(directory); !synced) return synced;
  }
  return {};
}

void Layout::describe(UploadInfo& info) const {
  auto path = std::string(path_of(info.storage));
  if (path.empty()) {
    path = full_path(info.id.str());
  } else if (path.front() != '/') {
    path = full_path(plain_relative(path).value_or(path));
  }
  info.storage["Type"] = "filestore";
  info.storage["Path"] = std::move(path);
  info.storage["InfoPath"] = full_path(info.id.str()) + ".info";
}

bool Layout::reopen_if_gone() {
  struct stat found;
  const bool dead = ::fstat(root_.get(), &found) != 0;
  if (!dead && found.st_nlink > 0) return false;
  auto again = io_.open({AT_FDCWD, path_}, O_RDONLY | O_DIRECTORY);
  if (!again) return false;
  // Where a mount is missing there may be an empty directory, which is not ours to fill.
  if (dead && !io_.open({again->get(), ".tusd"}, O_PATH | O_DIRECTORY)) return false;
  // In place, under everybody who is using it.
  return ::dup3(again->get(), root_.get(), O_CLOEXEC) >= 0;
}

Status Layout::sync_directory_of(std::string_view absolute) {
  Name above{AT_FDCWD, std::string(absolute.substr(0, absolute.rfind('/') + 1))};
  auto fd = io_.open(above, O_RDONLY | O_DIRECTORY);
  return fd ? io_.sync_directory(fd->get()) : Status(fail(fd.error()));
}

Status Layout::sync_directories_of(std::string_view absolute) {
  if (auto synced = sync_directory_of(absolute); !synced) return synced;
  // Below our own directory the path was a relative one, made step by step.
  if (!absolute.starts_with(path_ + "/")) return {};
  for (auto above = absolute.substr(0, absolute.rfind('/')); above.size() > path_.size();
       above = above.substr(0, above.rfind('/'))) {
    if (auto synced = sync_directory_of(above); !synced) return synced;
  }
  return {};
}

Status Layout::sync_directories(const UploadId& id) {
  if (auto synced = io_.sync_directory(root_.get()); !synced) return synced;
  std::string_view rest = id.str();
  Fd owned;
  Name here{root_.get(), {}};
  for (auto slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
    here.leaf = rest.substr(0, slash);
    auto next = io_.open(here, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!next) return fail(next.error());
    if (auto synced = io_.sync_directory(next->get()); !synced) return synced;
    owned = *std::move(next);
    here.dir = owned.get();
    rest.remove_prefix(slash + 1);
  }
  return {};
}

}  // namespace tus::file_store
