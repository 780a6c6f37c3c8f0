// The system calls of a file store whose process can be killed, and whose disk can be full or broken.
#pragma once

#include "stores/file/syscalls.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>

namespace tus {

// Nothing is really synced: the disk of this machine is not what is tested. Any thread.
class FailingMachine final : public file_store::Syscalls {
 public:
  enum class Syncs : std::uint8_t { work, fail };

  // After so many more calls that change something, nothing is changed any more.
  void die_after(int changes) {
    std::lock_guard lock(mutex_);
    changes_left_ = changes;
  }
  // So many bytes fit into the files below a directory.
  void limit_space(std::filesystem::path directory, std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    directory_ = std::move(directory);
    limit_ = bytes;
  }
  void make_syncs(Syncs syncs) { syncs_ = syncs; }

  int openat(int dir, const char* path, int flags, mode_t mode) override {
    const bool changes = (flags & (O_CREAT | O_TRUNC)) != 0;
    return changes && !may_change() ? -1 : Syscalls::openat(dir, path, flags, mode);
  }
  ssize_t pwrite(int fd, const void* from, std::size_t count, off_t at) override {
    if (!may_change()) return -1;
    // Others write as well: what fits has to stay true until it is written.
    std::lock_guard lock(mutex_);
    auto fits = room_for(fd, count, at);
    if (fits > 0 || count == 0) return Syscalls::pwrite(fd, from, fits, at);
    errno = ENOSPC;
    return -1;
  }
  ssize_t copy_file_range(int from, off_t from_at, int to, off_t to_at,
                          std::size_t count) override {
    if (!may_change()) return -1;
    std::lock_guard lock(mutex_);
    const auto fits = room_for(to, count, to_at);
    if (fits > 0) return Syscalls::copy_file_range(from, from_at, to, to_at, fits);
    errno = ENOSPC;
    return -1;
  }
  int ftruncate(int fd, off_t size) override {
    return may_change() ? Syscalls::ftruncate(fd, size) : -1;
  }
  int fdatasync(int) override { return sync(); }
  int fsync(int) override { return sync(); }
  int start_writeback(int, off_t, off_t) override { return 0; }
  int mkdirat(int dir, const char* path, mode_t mode) override {
    return may_change() ? Syscalls::mkdirat(dir, path, mode) : -1;
  }
  int renameat(int from_dir, const char* from, int to_dir, const char* to) override {
    return may_change() ? Syscalls::renameat(from_dir, from, to_dir, to) : -1;
  }
  int unlinkat(int dir, const char* path, int flags) override {
    return may_change() ? Syscalls::unlinkat(dir, path, flags) : -1;
  }

 private:
  bool may_change() {
    std::lock_guard lock(mutex_);
    if (!changes_left_) return true;
    if (*changes_left_ > 0) {
      --*changes_left_;
      return true;
    }
    errno = EIO;
    return false;
  }
  int sync() const {
    if (syncs_ == Syncs::work) return 0;
    errno = EIO;
    return -1;
  }
  std::size_t room_for(int fd, std::size_t count, off_t at) const {
    struct stat file;
    if (limit_ == 0 || ::fstat(fd, &file) < 0) return count;
    // Bytes that replace others need no room.
    const auto inside = static_cast<std::uint64_t>(std::max<off_t>(file.st_size - at, 0));
    const auto used = std::min(used_bytes(), limit_);
    return static_cast<std::size_t>(std::min<std::uint64_t>(count, inside + (limit_ - used)));
  }
  std::uint64_t used_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_)) {
      std::error_code gone;
      const auto size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
      if (!gone) sum += size;
    }
    return sum;
  }

  std::mutex mutex_;
  std::optional<int> changes_left_;
  std::filesystem::path directory_;
  std::uint64_t limit_ = 0;
  std::atomic<Syncs> syncs_{Syncs::work};
};

}  // namespace tus
