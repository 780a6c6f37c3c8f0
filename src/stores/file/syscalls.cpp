#include "stores/file/syscalls.h"

#include <cstdio>
#include <sys/sendfile.h>
#include <unistd.h>

namespace tus::file_store {

int Syscalls::openat(int dir, const char* path, int flags, mode_t mode) {
  return ::openat(dir, path, flags, mode);
}

ssize_t Syscalls::pread(int fd, void* into, std::size_t count, off_t at) {
  return ::pread(fd, into, count, at);
}

ssize_t Syscalls::pwrite(int fd, const void* from, std::size_t count, off_t at) {
  return ::pwrite(fd, from, count, at);
}

ssize_t Syscalls::sendfile(int socket, int fd, off_t* at, std::size_t count) {
  return ::sendfile(socket, fd, at, count);
}

int Syscalls::fstatat(int dir, const char* path, struct stat* result, int flags) {
  return ::fstatat(dir, path, result, flags);
}

int Syscalls::close(int fd) { return ::close(fd); }

int Syscalls::ftruncate(int fd, off_t size) { return ::ftruncate(fd, size); }

int Syscalls::fdatasync(int fd) { return ::fdatasync(fd); }

int Syscalls::fsync(int fd) { return ::fsync(fd); }

int Syscalls::start_writeback(int fd, off_t from, off_t count) {
  return ::sync_file_range(fd, from, count, SYNC_FILE_RANGE_WRITE);
}

int Syscalls::mkdirat(int dir, const char* path, mode_t mode) { return ::mkdirat(dir, path, mode); }

int Syscalls::renameat(int from_dir, const char* from, int to_dir, const char* to) {
  return ::renameat(from_dir, from, to_dir, to);
}

int Syscalls::unlinkat(int dir, const char* path, int flags) {
  return ::unlinkat(dir, path, flags);
}

int Syscalls::lock_byte(int fd, off_t at) {
  struct flock byte = {};
  byte.l_type = F_WRLCK;
  byte.l_whence = SEEK_SET;
  byte.l_start = at;
  byte.l_len = 1;
  return ::fcntl(fd, F_OFD_SETLKW, &byte);
}

int Syscalls::fstatvfs(int fd, struct statvfs* result) { return ::fstatvfs(fd, result); }

ssize_t Syscalls::copy_file_range(int from, off_t from_at, int to, off_t to_at, std::size_t count) {
  return ::copy_file_range(from, &from_at, to, &to_at, count, 0);
}

}  // namespace tus::file_store
