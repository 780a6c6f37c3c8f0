// Descriptors and file operations with the errors of the store.
#pragma once

#include "async/file_descriptor.h"
#include "stores/file/syscalls.h"

#include <tus/error.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tus::file_store {

// What a failed system call means for an upload; `what` and `path` are for the log.
Error error_of_errno(int code, std::string_view what, std::string_view path);

// A name in an open directory. An absolute name ignores the directory.
struct Name {
  int dir;
  std::string leaf;
};

// Which file it is, whatever its names are; as long as it is open no other one is the same.
struct FileNumber {
  dev_t device = 0;
  ino_t inode = 0;
  friend bool operator==(const FileNumber&, const FileNumber&) = default;
};

// A regular file, seen from outside.
struct FileLook {
  std::uint64_t size = 0;
  std::chrono::sys_seconds changed;  // when bytes last came or went
};

class FileIo {
 public:
  explicit FileIo(Syscalls& calls) noexcept : calls_(calls) {}

  // O_CLOEXEC is added. ENOENT is upload_not_found, EEXIST upload_exists.
  Result<Fd> open(const Name& name, int flags, mode_t mode = 0);
  // Fills `into` as far as the file reaches.
  Result<std::size_t> read(int fd, std::uint64_t at, std::span<std::byte> into);
  Status write(int fd, std::uint64_t at, std::span<const std::byte> bytes);
  // Of a file that was written to: some file systems (NFS, quotas) say only now that there was no room.
  Status close(Fd fd);
  // Anything but a regular file is upload_damaged.
  Result<FileLook> look(const Name& name, int flags);
  // The size alone.
  Result<std::uint64_t> size(const Name& name, int flags);
  Result<std::uint64_t> size(int fd);
  Result<FileNumber> number(int fd);
  // Whether an open file still has a name.
  Result<bool> is_linked(int fd);
  Status truncate(int fd, std::uint64_t size);
  Status sync_data(int fd);
  Status sync_directory(int fd);
  // A hint: failures show up in sync_data.
  void start_writeback(int fd, std::uint64_t from, std::uint64_t count) noexcept;
  // True when it was not there already.
  Result<bool> make_directory(const Name& name, mode_t mode);
  // Fails when it is not empty.
  Status remove_directory(const Name& name);
  Status rename(const Name& from, const Name& to);
  // Bytes that are free on the file system, for those who are not root.
  Result<std::uint64_t> free_space(int fd);
  // Waits for other processes. Where files cannot be locked, it is not.
  void lock_byte(int fd, std::uint64_t at) noexcept;
  // A file that is gone already is fine.
  Status remove(const Name& name);

 private:
  Syscalls& calls_;
};

}  // namespace tus::file_store
