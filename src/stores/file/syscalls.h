// The system calls of the file store in one place, so that tests can make each of them fail.
#pragma once

#include <cstddef>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

namespace tus::file_store {

// Each behaves as the function of its name: -1 and errno on failure. Any thread.
class Syscalls {
 public:
  virtual ~Syscalls() = default;

  virtual int openat(int dir, const char* path, int flags, mode_t mode);
  virtual ssize_t pread(int fd, void* into, std::size_t count, off_t at);
  virtual ssize_t pwrite(int fd, const void* from, std::size_t count, off_t at);
  virtual ssize_t sendfile(int socket, int fd, off_t* at, std::size_t count);
  virtual int fstatat(int dir, const char* path, struct stat* result, int flags);
  virtual int close(int fd);
  virtual int ftruncate(int fd, off_t size);
  virtual int fdatasync(int fd);
  virtual int fsync(int fd);
  virtual int start_writeback(int fd, off_t from, off_t count);  // sync_file_range
  virtual int mkdirat(int dir, const char* path, mode_t mode);
  virtual int renameat(int from_dir, const char* from, int to_dir, const char* to);
  virtual int unlinkat(int dir, const char* path, int flags);
  // Locks a byte for this open file against other processes, and waits for it: fcntl(F_OFD_SETLKW).
  virtual int lock_byte(int fd, off_t at);
  virtual int fstatvfs(int fd, struct statvfs* result);
  virtual ssize_t copy_file_range(int from, off_t from_at, int to, off_t to_at, std::size_t count);
};

}  // namespace tus::file_store
