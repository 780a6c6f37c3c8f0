// What of the files of a test is on the disk and not only in memory: a power cut takes the rest. Stricter than
// any real file system, so that what survives here is what was really made safe.
#pragma once

#include "stores/file/file_io.h"

#include <dirent.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace tus::file_store::test {

// A disk may write names and contents, or not, before somebody asks it to. A disk that does more than it must
// finds other errors than one that does less.
struct PowerCut {
  enum class Names : std::uint8_t { lost, kept } names = Names::lost;
  enum class Contents : std::uint8_t { lost, zeros } contents = Contents::lost;
};

// All four kinds of them.
inline constexpr PowerCut power_cuts[] = {
    {PowerCut::Names::lost, PowerCut::Contents::lost},
    {PowerCut::Names::lost, PowerCut::Contents::zeros},
    {PowerCut::Names::kept, PowerCut::Contents::lost},
    {PowerCut::Names::kept, PowerCut::Contents::zeros},
};

// Knows files and directories by their inodes. What was there before the first call that meets it is safe.
// The calls take what the system call takes, before it is made, or what it has returned.
class DiskModel {
 public:
  // `top` is a directory that stays; nothing in it is safe yet.
  explicit DiskModel(std::filesystem::path top) : top_(std::move(top)) {
    Fd fd(::open(top_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    top_inode_ = inode_of(fd.get());
    directories_[top_inode_] = {std::move(fd), {}};
  }

  // A name is going to be made, replaced, removed or opened.
  void before(int dir, const char* path) {
    auto [parent, leaf] = parent_of(dir, path);
    if (!parent) return;
    know_directory(parent);
    know_file(parent.get(), leaf.c_str(), Before::the_call);
  }
  void opened(int fd) { know_file(fd); }
  void made_directory(int dir, const char* path) {
    Fd fd(::openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || !is_below_top(fd.get())) return;
    auto inode = inode_of(fd.get());
    directories_[inode] = {std::move(fd), {}};
  }
  void synced_data(int fd) {
    know_file(fd);
    auto known = files_.find(inode_of(fd));
    if (known != files_.end()) known->second.safe = written_of(known->second);
  }
  // The kernel calls the pages clean that it could not write: a later sync does not write them either.
  void failed_to_sync_data(int fd) {
    know_file(fd);
    auto known = files_.find(inode_of(fd));
    if (known == files_.end()) return;
    auto& file = known->second;
    auto now = contents_of(file.fd.get());
    file.dropped.resize(now.size(), false);
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (i >= file.safe.size() || file.safe[i] != now[i]) file.dropped[i] = true;
    }
  }
  // Pages that are written again are dirty again.
  void wrote(int fd, std::uint64_t at, std::uint64_t count) {
    auto known = files_.find(inode_of(fd));
    if (known == files_.end()) return;
    auto& dropped = known->second.dropped;
    for (auto i = at; i < at + count && i < dropped.size(); ++i) dropped[i] = false;
  }
  void truncated(int fd, std::uint64_t size) {
    auto known = files_.find(inode_of(fd));
    if (known != files_.end() && known->second.dropped.size() > size) {
      known->second.dropped.resize(size);
    }
  }
  void synced_directory(int fd) {
    Fd again(::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    know_directory(again);
    auto known = directories_.find(inode_of(fd));
    if (known != directories_.end()) known->second.safe = names_in(known->second.fd.get());
  }

  void cut(PowerCut kind) {
    auto left = left_of(top_inode_, kind);
    for (const auto& entry : std::filesystem::directory_iterator(top_)) {
      std::filesystem::remove_all(entry.path());
    }
    files_.clear();
    auto top = directories_.extract(top_inode_);
    directories_.clear();
    directories_.insert(std::move(top));
    write(left, top_);
    directories_.at(top_inode_).safe = names_in(directories_.at(top_inode_).fd.get());
  }

 private:
  enum class Before : std::uint8_t { the_call };
  struct File {
    Fd fd;  // keeps the inode, so that no other file gets its number
    std::string safe;
    std::vector<bool> dropped;  // bytes that no sync will write
  };
  struct Entry {
    ino_t inode;
    bool directory;
  };
  using Names = std::map<std::string, Entry>;
  struct Directory {
    Fd fd;
    Names safe;
  };
  struct Left {  // a directory as the power cut leaves it
    std::map<std::string, std::string> files;
    std::map<std::string, Left> directories;
  };

  static ino_t inode_of(int fd) {
    struct stat found;
    return ::fstat(fd, &found) == 0 ? found.st_ino : 0;
  }
  bool is_below_top(int fd) const {
    std::error_code gone;
    auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), gone);
    return !gone && (path == top_ || path.string().starts_with(top_.string() + "/"));
  }
  std::pair<Fd, std::string> parent_of(int dir, const char* path) const {
    std::string_view whole(path);
    auto slash = whole.rfind('/');
    std::string above(slash == std::string_view::npos ? "." : whole.substr(0, slash + 1));
    Fd parent(::openat(dir, above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent && !is_below_top(parent.get())) parent.reset();
    return {std::move(parent), std::string(whole.substr(slash + 1))};
  }

  static Names names_in(int directory) {
    Names names;
    DIR* entries = ::fdopendir(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (entries == nullptr) return names;
    while (auto* entry = ::readdir(entries)) {
      std::string name(entry->d_name);
      if (name == "." || name == "..") continue;
      struct stat found;
      if (::fstatat(directory, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
      names[std::move(name)] = {found.st_ino, S_ISDIR(found.st_mode)};
    }
    ::closedir(entries);
    return names;
  }
  static std::string contents_of(int fd) {
    std::ifstream file("/proc/self/fd/" + std::to_string(fd), std::ios::binary);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }

  // What a sync that succeeds makes safe.
  static std::string written_of(const File& file) {
    auto now = contents_of(file.fd.get());
    for (std::size_t i = 0; i < now.size() && i < file.dropped.size(); ++i) {
      if (file.dropped[i]) now[i] = i < file.safe.size() ? file.safe[i] : '\0';
    }
    return now;
  }

  void know_directory(Fd& fd) {
    auto inode = inode_of(fd.get());
    if (directories_.contains(inode) || !is_below_top(fd.get())) return;
    Fd kept(::openat(fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto names = names_in(kept.get());
    directories_[inode] = {std::move(kept), std::move(names)};
  }
  // A file that was there before the call that meets it is safe as it is.
  void know_file(int directory, const char* name, Before) {
    struct stat found;
    if (::fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (!S_ISREG(found.st_mode) || files_.contains(found.st_ino)) return;
    Fd fd(::openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    auto safe = contents_of(fd.get());
    files_[found.st_ino] = {std::move(fd), std::move(safe), {}};
  }
  // One that was not has just been made, and nothing of it is safe.
  void know_file(int open) {
    struct stat found;
    if (::fstat(open, &found) != 0 || !S_ISREG(found.st_mode)) return;
    if (files_.contains(found.st_ino) || !is_below_top(open)) return;
    auto path = "/proc/self/fd/" + std::to_string(open);
    files_[found.st_ino] = {Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), {}, {}};
  }

  static std::string left_of(const File& file, PowerCut::Contents kind) {
    if (kind == PowerCut::Contents::lost) return file.safe;
    auto left = contents_of(file.fd.get());
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (i >= file.safe.size() || left[i] != file.safe[i]) left[i] = '\0';
    }
    return left;
  }
  Left left_of(ino_t directory, PowerCut kind) const {
    Left left;
    const auto& known = directories_.at(directory);
    auto now = names_in(known.fd.get());
    for (const auto& [name, entry] : kind.names == PowerCut::Names::kept ? now : known.safe) {
      auto path = std::filesystem::path("/proc/self/fd") / std::to_string(known.fd.get()) / name;
      if (entry.directory) {
        left.directories[name] =
            directories_.contains(entry.inode) ? left_of(entry.inode, kind) : untouched(path);
        continue;
      }
      auto file = files_.find(entry.inode);
      left.files[name] =
          file == files_.end() ? contents_at(path) : left_of(file->second, kind.contents);
    }
    return left;
  }
  // Nobody has come here, so that all of it is as it was.
  static Left untouched(const std::filesystem::path& directory) {
    Left left;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      auto name = entry.path().filename().string();
      if (entry.is_directory()) {
        left.directories[name] = untouched(entry.path());
      } else {
        left.files[name] = contents_at(entry.path());
      }
    }
    return left;
  }
  static std::string contents_at(const std::filesystem::path& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return contents_of(fd.get());
  }
  static void write(const Left& left, const std::filesystem::path& directory) {
    for (const auto& [name, contents] : left.files) {
      std::ofstream(directory / name, std::ios::binary) << contents;
    }
    for (const auto& [name, below] : left.directories) {
      std::filesystem::create_directory(directory / name);
      write(below, directory / name);
    }
  }

  std::filesystem::path top_;
  ino_t top_inode_ = 0;
  std::map<ino_t, File> files_;
  std::map<ino_t, Directory> directories_;
};

}  // namespace tus::file_store::test
