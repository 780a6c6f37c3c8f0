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
constexpr std::string_view spare_prefix = "spare-";
constexpr int attempts = 10;
constexpr int spares = 4;  // as many uploads of a full disk are changed at once

std::string new_name(std::int32_t pid) {
  std::random_device random;
  std::array<char, 32> text;
  const auto length = std::snprintf(text.data(), text.size(), "-%08x%08x", random(), random());
  return std::string(prefix) + std::to_string(pid) +
         std::string(text.data(), static_cast<std::size_t>(length));
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
  drop_spares();
  for (const auto& file : files_) ::unlinkat(side_, file.name.c_str(), 0);
}

Result<std::unique_ptr<ProcessFile>> ProcessFile::make(LockCalls& calls, int side, unsigned perms) {
  std::unique_ptr<ProcessFile> file(new ProcessFile(calls, side, perms));
  auto ready = file->ready();
  if (!ready && !(ready.error() == ErrorCode::no_space)) return fail(std::move(ready.error()));
  return file;
}

Status ProcessFile::ready() {
  if (links_ != Links::unknown) return {};
  const std::lock_guard lock(making_);
  return links_ == Links::unknown ? replace_file() : Status();
}

LockText ProcessFile::text() const {
  auto text = text_;
  if (links_ == Links::fail) text.kind = LockText::Kind::alone;
  return text;
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

// Without a descriptor where flock does not work.
Result<ProcessFile::Made> ProcessFile::make_file() {
  for (int i = 0; i < attempts; ++i) {
    auto name = write_file();
    if (!name) return fail(std::move(name.error()));
    Made made;
    made.name = *std::move(name);
    if (const int code = lock_file(made); code == ENOENT) {
      continue;  // that one has removed it
    } else if (code != 0) {
      ::unlinkat(side_, made.name.c_str(), 0);
      made.fd.reset();
      made.why_alone = "flock: " + std::generic_category().message(code);
      return made;
    }
    struct stat now;
    if (::fstat(made.fd.get(), &now) != 0) return fail(error_of_errno(errno, "stat", made.name));
    if (now.st_nlink == 0) continue;
    made.inode = Inode::of(now);
    return made;
  }
  return fail(ErrorCode::store_unavailable, "no file of its own for this process");
}

// Says why where links are no use, and fails when that cannot be told.
Status ProcessFile::try_links(Made& made) {
  const auto link = std::string(spare_prefix) + made.name;
  if (calls_.linkat(side_, made.name.c_str(), side_, link.c_str()) == 0) {
    if (!is_same(made, link)) made.why_alone = "link: each name is a file of its own";
    ::unlinkat(side_, link.c_str(), 0);
    return {};
  }
  const auto code = errno;
  constexpr std::array none{EPERM, EOPNOTSUPP, ENOTSUP, ENOSYS, EMLINK, EINVAL};
  if (std::ranges::find(none, code) == none.end()) return fail(error_of_errno(code, "link", link));
  made.why_alone = "link: " + std::generic_category().message(code);
  return {};
}

// Some file systems, most of those in user space, give each name an inode and locks of its own.
bool ProcessFile::is_same(const Made& made, const std::string& link) const {
  const Fd fd(::openat(side_, link.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat found;
  return fd && ::fstat(fd.get(), &found) == 0 && Inode::of(found) == made.inode &&
         calls_.flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

// Under making_.
Status ProcessFile::replace_file() {
  if (links_ == Links::fail) return {};
  auto made = make_file();
  if (!made) return fail(std::move(made.error()));
  if (made->fd && links_ == Links::unknown) {
    auto tried = try_links(*made);
    if (!tried || !made->why_alone.empty()) ::unlinkat(side_, made->name.c_str(), 0);
    if (!tried) return tried;
  }
  if (!made->why_alone.empty()) {
    if (links_ == Links::work) return fail(ErrorCode::store_unavailable, made->why_alone);
    why_alone_ = std::move(made->why_alone);
    links_ = Links::fail;
    return {};
  }
  drop_spares();
  make_spares(*made);
  const std::unique_lock lock(mutex_);
  std::erase_if(files_, [](const Made& file) {
    struct stat now;
    return ::fstat(file.fd.get(), &now) != 0 || now.st_nlink == 0;
  });
  files_.push_back(*std::move(made));
  links_ = Links::work;
  return {};
}

void ProcessFile::make_spares(const Made& made) {
  const std::lock_guard lock(spares_mutex_);
  for (int i = 0; i < spares; ++i) {
    Spare spare;
    spare.name = std::string(spare_prefix) + made.name + "-" + std::to_string(i);
    spare.inode = made.inode;
    if (calls_.linkat(side_, made.name.c_str(), side_, spare.name.c_str()) != 0) return;
    spares_.push_back(std::move(spare));
  }
}

// Those that are on loan have names of locks now, and go with them.
void ProcessFile::drop_spares() {
  const std::lock_guard lock(spares_mutex_);
  for (const auto& spare : spares_) {
    if (!spare.lent) ::unlinkat(side_, spare.name.c_str(), 0);
  }
  spares_.clear();
}

unsigned ProcessFile::lend_spare(int dir, const char* name, Inode& inode) {
  const std::lock_guard lock(spares_mutex_);
  for (unsigned i = 0; i < spares_.size(); ++i) {
    auto& spare = spares_[i];
    if (spare.lent) continue;
    if (::renameat2(side_, spare.name.c_str(), dir, name, RENAME_NOREPLACE) != 0) continue;
    spare.lent = true;
    inode = spare.inode;
    return i + 1;
  }
  return 0;
}

bool ProcessFile::take_back(unsigned number, const Inode& inode, int dir, const char* name) {
  const std::lock_guard lock(spares_mutex_);
  if (number > spares_.size()) return false;
  auto& spare = spares_[number - 1];
  // They may have been made anew meanwhile.
  if (!spare.lent || !(spare.inode == inode)) return false;
  spare.lent = ::renameat(dir, name, side_, spare.name.c_str()) != 0;
  return !spare.lent;
}

int ProcessFile::link_to(int dir, const char* name, Inode& inode) {
  std::shared_lock lock(mutex_);
  if (files_.empty()) return errno = ENOENT, -1;  // it is being made again
  const auto& file = files_.back();
  inode = file.inode;
  return calls_.linkat(side_, file.name.c_str(), dir, name);
}

bool ProcessFile::owns(const Inode& inode) const {
  std::shared_lock lock(mutex_);
  return std::ranges::find(files_, inode, &Made::inode) != files_.end();
}

Status ProcessFile::renew() {
  const std::lock_guard lock(making_);
  return replace_file();
}

Status ProcessFile::start_over() {
  const std::lock_guard lock(making_);
  {
    const std::unique_lock files(mutex_);
    files_.clear();
  }
  links_ = Links::unknown;
  return replace_file();
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
    if (!name.starts_with(prefix) && !name.starts_with(spare_prefix)) continue;
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
