// Open files, and places in the directory of the store.
#pragma once

#include "async/file_descriptor.h"

#include <tus/error.h>
#include <tus/upload_id.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <time.h>
#include <utility>

namespace tus::file_locker {

// store_unavailable (or no_space), with a sentence for the log.
Error error_of_errno(int code, std::string_view what, std::string_view path);

// False and errno.
bool write_all(int fd, std::string_view text) noexcept;

inline std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Which file it is, whatever its names are.
struct Inode {
  dev_t device = 0;
  ino_t number = 0;

  static Inode of(const struct stat& file) noexcept { return {file.st_dev, file.st_ino}; }
  explicit operator bool() const noexcept { return number != 0; }
  friend bool operator==(const Inode&, const Inode&) = default;
};

// A name in an open directory.
struct Place {
  Fd owned;      // empty: the directory is the root
  int dir = -1;  // -1: there is no such directory
  std::string leaf;

  explicit operator bool() const noexcept { return dir >= 0; }
};

// The directory of the uploads. Ids with slashes are paths in it; no symbolic link is followed on the way.
class Directory {
 public:
  Directory(std::string path, Fd root, unsigned dir_perms) noexcept
      : path_(std::move(path)), root_(std::move(root)), dir_perms_(dir_perms) {}

  int root() const noexcept { return root_.get(); }
  // Nothing can be in it any more, nor be made in it.
  bool is_removed() const noexcept;
  // When it was removed, or its file system is gone, and there is one under its name again, that one is used
  // from now on, by the same descriptor.
  bool reopen_if_gone() const noexcept;

  // Where `path` is, as long as its directory is there.
  Place find(std::string_view path) const;
  // Makes directories that are missing. A place that something else is in the way of is none.
  Result<Place> find_or_make(std::string_view path) const;
  // Removes the directories above `path`, from the innermost on, as long as they are empty.
  void remove_empty_above(std::string_view path) const noexcept;

 private:
  std::string path_;
  Fd root_;
  unsigned dir_perms_;
};

}  // namespace tus::file_locker
