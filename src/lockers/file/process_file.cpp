#include "lockers/file/process_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <mutex>
#include <random>
#include <string_view>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace tus::file_locker {

namespace {

constexpr std::string_view prefix = "pid-";
constexpr int attempts = 10;

std::string new_name(std::int32_t pid) {
  std::random_device random;
  std::array<char, 32> text;
  const auto length = std::snprintf(text.data(), text.size(), "-%08x%08x", random(), random());
  return std::string(prefix) + std::to_string(pid) +
         std::string(text.data(), static_cast<std::size_t>(length));
}

bool write_all(int fd, std::string_view text) {
  return ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

}  // namespace

ProcessFile::ProcessFile(LockCalls& calls, int side, unsigned perms)
    : calls_(calls), side_(side), perms_(perms) {
  text_.kind = LockText::Kind::linked;
  text_.pid = calls.getpid();
  text_.boot_id = calls.boot_id();
  text_.start_time = calls.start_time(text_.pid);
}

ProcessFile::~ProcessFile() {
  for (const auto& file : files_) ::unlinkat(side_, file.name.c_str(), 0);
}

Result<std::unique_ptr<ProcessFile>> ProcessFile::make(LockCalls& calls, int side, unsigned perms) {
  std::unique_ptr<ProcessFile> file(new ProcessFile(calls, side, perms));
  auto made = file->make_file();
  if (!made) return fail(std::move(made.error()));
  if (made->fd) file->files_.push_back(*std::move(made));
  if (file->has_links()) {
    if (auto tried = file->try_links(); !tried) return fail(std::move(tried.error()));
  }
  if (!file->has_links()) file->text_.kind = LockText::Kind::alone;
  return file;
}

// The file with its text in it, and no lock on it yet.
Result<std::string> ProcessFile::write_file() {
  auto name = new_name(text_.pid);
  const Fd fd(::openat(side_, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, perms_));
  if (!fd) return fail(error_of_errno(errno, "open", name));
  if (write_all(fd.get(), write_lock_text(text_))) return name;
  const auto code = errno;
  ::unlinkat(side_, name.c_str(), 0);
  return fail(error_of_errno(code, "write", name));
}

// Open for reading, so that the file system can still be made read-only. Some network file systems want it
// open for writing.
int ProcessFile::lock_file(Made& made) {
  for (const int mode : {O_RDONLY, O_RDWR}) {
    made.fd = Fd(::openat(side_, made.name.c_str(), mode | O_NOFOLLOW | O_CLOEXEC));
    // Waits only for somebody who takes this file for a dead process's and lets go at once.
    if (made.fd && calls_.flock(made.fd.get(), LOCK_EX) == 0) return 0;
    if (!made.fd || errno != EBADF) break;
  }
  return errno;
}

// Without a descriptor, and with a reason in why_alone_, where flock does not work.
Result<ProcessFile::Made> ProcessFile::make_file() {
  for (int i = 0; i < attempts; ++i) {
    auto name = write_file();
    if (!name) return fail(std::move(name.error()));
    Made made;
    made.name = *std::move(name);
    if (const int code = lock_file(made); code == ENOENT) {
      continue;  // that one has removed it
    } else if (code != 0) {
      why_alone_ = "flock: " + std::generic_category().message(code);
      ::unlinkat(side_, made.name.c_str(), 0);
      return Made();
    }
    struct stat now;
    if (::fstat(made.fd.get(), &now) != 0) return fail(error_of_errno(errno, "stat", made.name));
    if (now.st_nlink == 0) continue;
    made.inode = Inode::of(now);
    return made;
  }
  return fail(ErrorCode::store_unavailable, "no file of its own for this process");
}

Status ProcessFile::try_links() {
  const auto probe = files_.back().name + ".probe";
  if (calls_.linkat(side_, files_.back().name.c_str(), side_, probe.c_str()) == 0) {
    ::unlinkat(side_, probe.c_str(), 0);
    return {};
  }
  const auto code = errno;
  constexpr std::array none{EPERM, EOPNOTSUPP, ENOTSUP, ENOSYS, EMLINK, EINVAL};
  if (std::ranges::find(none, code) == none.end()) return fail(error_of_errno(code, "link", probe));
  why_alone_ = "link: " + std::generic_category().message(code);
  for (const auto& file : files_) ::unlinkat(side_, file.name.c_str(), 0);
  files_.clear();
  return {};
}

int ProcessFile::link_to(int dir, const char* name, Inode& inode) {
  std::shared_lock lock(mutex_);
  const auto& file = files_.back();
  inode = file.inode;
  return calls_.linkat(side_, file.name.c_str(), dir, name);
}

bool ProcessFile::owns(const Inode& inode) const {
  std::shared_lock lock(mutex_);
  return std::ranges::find(files_, inode, &Made::inode) != files_.end();
}

Status ProcessFile::renew() {
  auto made = make_file();
  if (!made) return fail(std::move(made.error()));
  if (!made->fd) return fail(ErrorCode::store_unavailable, why_alone_);
  std::unique_lock lock(mutex_);
  files_.push_back(*std::move(made));
  return {};
}

bool ProcessFile::lives(const LockText& text, Flocks flocks) const {
  switch (text.kind) {
    case LockText::Kind::garbage:
      return false;
    case LockText::Kind::plain:
      // Our own id, and not in our table: a process before us had it.
      return text.pid != text_.pid && calls_.process_exists(text.pid);
    case LockText::Kind::linked:
      if (flocks == Flocks::work) return false;
      break;
    case LockText::Kind::alone:
      break;
  }
  const bool us = text.pid == text_.pid && text.start_time == text_.start_time;
  return !us && text.boot_id == text_.boot_id && !text.start_time.empty() &&
         calls_.start_time(text.pid) == text.start_time;
}

std::string ProcessFile::name() const {
  std::shared_lock lock(mutex_);
  return files_.empty() ? std::string() : files_.back().name;
}

std::vector<std::string> ProcessFile::dead() const {
  std::vector<std::string> found;
  DIR* directory = nullptr;
  const int again = ::openat(side_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0 || (directory = ::fdopendir(again)) == nullptr) return found;
  while (const auto* entry = ::readdir(directory)) {
    const std::string_view name(entry->d_name);
    if (!name.starts_with(prefix)) continue;
    const Fd file(::openat(side_, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file && calls_.flock(file.get(), LOCK_SH | LOCK_NB) == 0) found.emplace_back(name);
  }
  ::closedir(directory);
  return found;
}

// Under its lock, so that a process that has just made the file and waits for the lock finds it removed.
void ProcessFile::remove_dead(const std::string& name) const noexcept {
  const Fd file(::openat(side_, name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file && calls_.flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
    ::unlinkat(side_, name.c_str(), 0);
  }
}

}  // namespace tus::file_locker
