// A file system for tests: another directory seen through it, with operations that fail, stop half-way, are slow or hang.
//
//   faultfs <directory> <mountpoint>      stays in the foreground; umount(8) or SIGTERM ends it
//
// Writing rules (rules.h) to <mountpoint>/.faults makes things go wrong from then on; an empty line ends it.
#define FUSE_USE_VERSION 35

#include "rules.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <string>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace faultfs {
namespace {

constexpr std::string_view control = "/.faults";

struct State {
  int root = -1;
  Rules rules;
};

State& state() { return *static_cast<State*>(fuse_get_context()->private_data); }
Rules& rules() { return state().rules; }
int root() { return state().root; }

// There is no path when a file was removed that is still open.
std::string_view text_of(const char* path) { return path == nullptr ? std::string_view() : path; }
bool is_control(const char* path) { return text_of(path) == control; }

// Relative to the directory behind.
const char* inner(const char* path) { return path[1] == '\0' ? "." : path + 1; }

int fd_of(const fuse_file_info* info) { return static_cast<int>(info->fh); }
int result(int done) { return done < 0 ? -errno : done; }
int wrong(const char* operation, const char* path) {
  return -rules().check(operation, text_of(path)).error;
}

int get_attributes(const char* path, struct stat* into, fuse_file_info*) {
  if (is_control(path)) {
    *into = {};
    into->st_mode = S_IFREG | 0600;
    into->st_nlink = 1;
    return 0;
  }
  if (const int error = wrong("getattr", path)) return error;
  return result(::fstatat(root(), inner(path), into, AT_SYMLINK_NOFOLLOW));
}

int open_with(const char* operation, const char* path, mode_t mode, fuse_file_info* info) {
  if (is_control(path)) {
    info->direct_io = 1;
    info->fh = static_cast<std::uint64_t>(-1);
    return 0;
  }
  if (const int error = wrong(operation, path)) return error;
  const int fd = ::openat(root(), inner(path), info->flags | O_CLOEXEC, mode);
  if (fd < 0) return -errno;
  info->fh = static_cast<std::uint64_t>(fd);
  return 0;
}

int create(const char* path, mode_t mode, fuse_file_info* info) {
  return open_with("create", path, mode, info);
}
int open_file(const char* path, fuse_file_info* info) { return open_with("open", path, 0, info); }

int read_file(const char* path, char* into, std::size_t count, off_t at, fuse_file_info* info) {
  if (is_control(path)) {
    const auto text = rules().report();
    if (at < 0 || static_cast<std::size_t>(at) >= text.size()) return 0;
    return static_cast<int>(text.copy(into, count, static_cast<std::size_t>(at)));
  }
  if (const int error = wrong("read", path)) return error;
  return result(static_cast<int>(::pread(fd_of(info), into, count, at)));
}

int write_file(const char* path, const char* from, std::size_t count, off_t at,
               fuse_file_info* info) {
  if (is_control(path)) return rules().replace({from, count}) ? static_cast<int>(count) : -EINVAL;
  const auto verdict = rules().check("write", text_of(path));
  if (verdict.error != 0) return -verdict.error;
  if (verdict.is_short) count = std::max<std::size_t>(1, count / 2);
  return result(static_cast<int>(::pwrite(fd_of(info), from, count, at)));
}

int truncate_file(const char* path, off_t size, fuse_file_info* info) {
  if (is_control(path)) return 0;
  if (const int error = wrong("truncate", path)) return error;
  if (info != nullptr) return result(::ftruncate(fd_of(info), size));
  const int fd = ::openat(root(), inner(path), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int done = result(::ftruncate(fd, size));
  ::close(fd);
  return done;
}

// What close(2) of the other side returns.
int flush(const char* path, fuse_file_info*) { return is_control(path) ? 0 : wrong("flush", path); }

int release(const char* path, fuse_file_info* info) {
  if (!is_control(path)) ::close(fd_of(info));
  return 0;
}

// The directory behind need not be synced: no test cuts the power.
int sync_file(const char* path, int, fuse_file_info*) { return wrong("fsync", path); }
int sync_directory(const char* path, int, fuse_file_info*) { return wrong("fsyncdir", path); }

int make_directory(const char* path, mode_t mode) {
  if (const int error = wrong("mkdir", path)) return error;
  return result(::mkdirat(root(), inner(path), mode));
}

int remove_file(const char* path) {
  if (const int error = wrong("unlink", path)) return error;
  return result(::unlinkat(root(), inner(path), 0));
}

int remove_directory(const char* path) {
  return result(::unlinkat(root(), inner(path), AT_REMOVEDIR));
}

int rename_file(const char* from, const char* to, unsigned flags) {
  if (flags != 0) return -EINVAL;
  if (const int error = wrong("rename", to)) return error;
  return result(::renameat(root(), inner(from), root(), inner(to)));
}

int link_file(const char* from, const char* to) {
  if (const int error = wrong("link", to)) return error;
  return result(::linkat(root(), inner(from), root(), inner(to), 0));
}

int change_mode(const char* path, mode_t mode, fuse_file_info*) {
  return result(::fchmodat(root(), inner(path), mode, 0));
}

int set_times(const char* path, const timespec times[2], fuse_file_info*) {
  return result(::utimensat(root(), inner(path), times, AT_SYMLINK_NOFOLLOW));
}

int list(const char* path, void* into, fuse_fill_dir_t fill, off_t, fuse_file_info*,
         fuse_readdir_flags) {
  if (const int error = wrong("readdir", path)) return error;
  const int fd = ::openat(root(), inner(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* directory = fd < 0 ? nullptr : ::fdopendir(fd);
  if (directory == nullptr) return -errno;
  while (const auto* entry = ::readdir(directory)) {
    if (fill(into, entry->d_name, nullptr, 0, fuse_fill_dir_flags{}) != 0) break;
  }
  ::closedir(directory);
  return 0;
}

int usage(const char*, struct statvfs* into) { return result(::fstatvfs(root(), into)); }

// Nothing is remembered, so that every operation gets here.
void* start(fuse_conn_info*, fuse_config* config) {
  config->attr_timeout = config->entry_timeout = config->negative_timeout = 0;
  config->hard_remove = 1;
  return fuse_get_context()->private_data;
}

fuse_operations operations() {
  fuse_operations made = {};
  made.init = start;
  made.getattr = get_attributes;
  made.create = create;
  made.open = open_file;
  made.read = read_file;
  made.write = write_file;
  made.truncate = truncate_file;
  made.flush = flush;
  made.release = release;
  made.fsync = sync_file;
  made.fsyncdir = sync_directory;
  made.mkdir = make_directory;
  made.unlink = remove_file;
  made.rmdir = remove_directory;
  made.rename = rename_file;
  made.link = link_file;
  made.chmod = change_mode;
  made.utimens = set_times;
  made.readdir = list;
  made.statfs = usage;
  return made;
}

// A container may have the right to mount and not the device.
void make_device() {
  constexpr dev_t fuse_device = 10 << 8 | 229;
  if (::access("/dev/fuse", F_OK) != 0) ::mknod("/dev/fuse", S_IFCHR | 0666, fuse_device);
}

int run(const char* directory, char* mountpoint) {
  State state;
  state.root = ::open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (state.root < 0) {
    std::fprintf(stderr, "faultfs: %s: %s\n", directory, std::strerror(errno));
    return 1;
  }
  make_device();
  ::umask(0);  // the other side has applied its own
  char name[] = "faultfs";
  char foreground[] = "-f";
  char* arguments[] = {name, foreground, mountpoint, nullptr};
  const auto table = operations();
  const int code = fuse_main(3, arguments, &table, &state);
  ::close(state.root);
  return code;
}

}  // namespace
}  // namespace faultfs

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: faultfs <directory> <mountpoint>\n", stderr);
    return 2;
  }
  return faultfs::run(arguments[1], arguments[2]);
}
