#include "stores/file/file_io.h"

#include <cerrno>
#include <system_error>
#include <unistd.h>

namespace tus::file_store {

namespace {

ErrorCode code_of_errno(int code) {
  switch (code) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:  // a symbolic link where an upload would be is none of ours
      return ErrorCode::upload_not_found;
    case EEXIST:
      return ErrorCode::upload_exists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ErrorCode::no_space;
    default:
      return ErrorCode::store_unavailable;
  }
}

template <class Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

std::unexpected<Error> failed(std::string_view what, std::string_view path) {
  return fail(error_of_errno(errno, what, path));
}

}  // namespace

Error error_of_errno(int code, std::string_view what, std::string_view path) {
  std::string detail(what);
  if (!path.empty()) detail.append(" ").append(path);
  detail.append(": ").append(std::generic_category().message(code));
  return Error(code_of_errno(code), std::move(detail));
}

Result<Fd> FileIo::open(const Name& name, int flags, mode_t mode) {
  int fd =
      retry([&] { return calls_.openat(name.dir, name.leaf.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) return failed("open", name.leaf);
  return Fd(fd);
}

Result<std::size_t> FileIo::read(int fd, std::uint64_t at, std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    auto n = retry([&] {
      return calls_.pread(fd, into.data() + done, into.size() - done,
                          static_cast<off_t>(at + done));
    });
    if (n < 0) return failed("read", {});
    auto wanted = into.size() - done;
    done += static_cast<std::size_t>(n);
    // A short read of a regular file is its end; asking again would be a call for nothing.
    if (static_cast<std::size_t>(n) < wanted) break;
  }
  return done;
}

Status FileIo::write(int fd, std::uint64_t at, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    auto n = retry(
        [&] { return calls_.pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at)); });
    if (n < 0) return failed("write", {});
    if (n == 0) return fail(ErrorCode::no_space, "write: no progress");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    at += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status FileIo::close(Fd fd) {
  // Linux has closed it whatever the result is.
  if (calls_.close(fd.release()) < 0 && errno != EINTR) return failed("close", {});
  return {};
}

Result<FileLook> FileIo::look(const Name& name, int flags) {
  struct stat found;
  if (calls_.fstatat(name.dir, name.leaf.c_str(), &found, flags) < 0) {
    return failed("stat", name.leaf);
  }
  if (!S_ISREG(found.st_mode)) return fail(ErrorCode::upload_damaged, "not a file: " + name.leaf);
  return FileLook{static_cast<std::uint64_t>(found.st_size),
                  std::chrono::sys_seconds(std::chrono::seconds(found.st_mtim.tv_sec))};
}

Result<std::uint64_t> FileIo::size(const Name& name, int flags) {
  auto found = look(name, flags);
  if (!found) return fail(std::move(found.error()));
  return found->size;
}

Result<std::uint64_t> FileIo::size(int fd) {
  struct stat found;
  if (calls_.fstatat(fd, "", &found, AT_EMPTY_PATH) < 0) return failed("stat", {});
  return static_cast<std::uint64_t>(found.st_size);
}

Result<FileNumber> FileIo::number(int fd) {
  struct stat found;
  if (calls_.fstatat(fd, "", &found, AT_EMPTY_PATH) < 0) return failed("stat", {});
  return FileNumber{found.st_dev, found.st_ino};
}

Result<std::uint64_t> FileIo::free_space(int fd) {
  struct statvfs found;
  if (calls_.fstatvfs(fd, &found) < 0) return failed("statvfs", {});
  return std::uint64_t{found.f_bavail} * found.f_frsize;
}

void FileIo::lock_byte(int fd, std::uint64_t at) noexcept {
  (void)retry([&] { return calls_.lock_byte(fd, static_cast<off_t>(at)); });
}

Result<bool> FileIo::is_linked(int fd) {
  struct stat found;
  if (calls_.fstatat(fd, "", &found, AT_EMPTY_PATH) < 0) return failed("stat", {});
  return found.st_nlink > 0;
}

Status FileIo::truncate(int fd, std::uint64_t size) {
  if (retry([&] { return calls_.ftruncate(fd, static_cast<off_t>(size)); }) < 0) {
    return failed("truncate", {});
  }
  return {};
}

Status FileIo::sync_data(int fd) {
  if (retry([&] { return calls_.fdatasync(fd); }) < 0) return failed("fdatasync", {});
  return {};
}

Status FileIo::sync_directory(int fd) {
  if (retry([&] { return calls_.fsync(fd); }) < 0) return failed("fsync of a directory", {});
  return {};
}

void FileIo::start_writeback(int fd, std::uint64_t from, std::uint64_t count) noexcept {
  calls_.start_writeback(fd, static_cast<off_t>(from), static_cast<off_t>(count));
}

Result<bool> FileIo::make_directory(const Name& name, mode_t mode) {
  if (calls_.mkdirat(name.dir, name.leaf.c_str(), mode) == 0) return true;
  if (errno != EEXIST) return failed("mkdir", name.leaf);
  return false;
}

Status FileIo::remove_directory(const Name& name) {
  if (calls_.unlinkat(name.dir, name.leaf.c_str(), AT_REMOVEDIR) < 0) {
    return failed("rmdir", name.leaf);
  }
  return {};
}

Status FileIo::rename(const Name& from, const Name& to) {
  if (calls_.renameat(from.dir, from.leaf.c_str(), to.dir, to.leaf.c_str()) < 0) {
    return failed("rename to", to.leaf);
  }
  return {};
}

Status FileIo::remove(const Name& name) {
  if (calls_.unlinkat(name.dir, name.leaf.c_str(), 0) < 0 && errno != ENOENT) {
    return failed("unlink", name.leaf);
  }
  return {};
}

}  // namespace tus::file_store
