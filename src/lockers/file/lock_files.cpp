#include "lockers/file/lock_files.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace tus::file_locker {

namespace {

constexpr std::string_view lock_suffix = ".lock";
constexpr std::string_view stop_suffix = ".stop";
constexpr int attempts = 20;
constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr int read_flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

Place with_suffix(Place place, std::string_view suffix) {
  place.leaf += suffix;
  return place;
}

}  // namespace

LockFiles::LockFiles(LockCalls& calls, Directory directory, Fd side)
    : calls_(calls), directory_(std::move(directory)), side_(std::move(side)) {}

Result<std::unique_ptr<LockFiles>> LockFiles::open(LockCalls& calls, const std::string& directory,
                                                   unsigned dir_perms, unsigned file_perms) {
  Fd root(::open(directory.c_str(), directory_flags));
  if (!root) return fail(error_of_errno(errno, "open", directory));
  // Until there is one.
  Fd side(::open("/dev/null", O_PATH | O_CLOEXEC));
  if (!side) return fail(error_of_errno(errno, "open", "/dev/null"));
  const int side_number = side.get();
  std::unique_ptr<LockFiles> files(
      new LockFiles(calls, Directory(directory, std::move(root), dir_perms), std::move(side)));
  files->dir_perms_ = dir_perms;
  files->file_perms_ = file_perms;
  // On a full disk it can wait for the first lock.
  auto made = files->make_side();
  if (!made && !(made.error() == ErrorCode::no_space)) return fail(std::move(made.error()));
  auto process = made ? ProcessFile::make(calls, side_number, file_perms)
                      : ProcessFile::make_later(calls, side_number, file_perms);
  if (!process) return fail(std::move(process.error()));
  files->process_ = *std::move(process);
  return files;
}

// `file` is filled in when there is one.
Result<LockFiles::Found> LockFiles::look(const Place& place, struct stat& file) const {
  const Fd fd(::openat(place.dir, place.leaf.c_str(), read_flags));
  if (!fd) {
    if (errno == ENOENT) return Found::nothing;
    if (errno == EACCES) return Found::alive;  // another user's: not for us to judge
    return fail(error_of_errno(errno, "open", place.leaf));
  }
  if (::fstat(fd.get(), &file) != 0) return fail(error_of_errno(errno, "stat", place.leaf));
  if (!S_ISREG(file.st_mode)) {
    return fail(ErrorCode::store_unavailable, "not a lock file: " + place.leaf);
  }
  if (process_->owns(Inode::of(file))) return Found::ours;
  auto flocks = ProcessFile::Flocks::work;
  if (calls_.flock(fd.get(), LOCK_SH | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Found::alive;
    flocks = ProcessFile::Flocks::fail;
  }
  std::array<char, 256> text;
  const auto length = ::pread(fd.get(), text.data(), text.size(), 0);
  if (length < 0) return fail(error_of_errno(errno, "read", place.leaf));
  const auto lock = parse_lock_text({text.data(), static_cast<std::size_t>(length)});
  return process_->lives(lock, flocks) ? Found::alive : Found::stale;
}

Result<LockFiles::Made> LockFiles::make(const Place& place, Taken& taken) {
  if (!process_->is_ready()) {
    auto ready = has_side() ? Status() : make_side();
    if (ready) ready = process_->ready();
    if (!ready) return fail(std::move(ready.error()));
  }
  if (!process_->has_links()) return make_alone(place, taken);
  for (bool renewed = false;; renewed = true) {
    if (process_->link_to(place.dir, place.leaf.c_str(), taken.inode) == 0) return Made::yes;
    const auto code = errno;
    if (code == EEXIST) return Made::exists;
    struct stat ours;
    const bool removed =
        code == ENOENT && ::fstatat(side_.get(), process_->name().c_str(), &ours, 0) != 0;
    if ((code == EMLINK || removed) && !renewed) {
      if (auto done = process_->renew(); !done) return fail(std::move(done.error()));
      continue;
    }
    if (code == ENOENT) return Made::no_directory;
    auto error = error_of_errno(code, "link", place.leaf);
    if (error == ErrorCode::no_space) {
      taken.spare = process_->lend_spare(place.dir, place.leaf.c_str(), taken.inode);
      if (taken.spare != 0) return Made::yes;
    }
    return fail(std::move(error));
  }
}

Result<LockFiles::Made> LockFiles::make_alone(const Place& place, Taken& taken) const {
  const Fd file(::openat(place.dir, place.leaf.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file_perms_));
  if (!file) {
    if (errno == EEXIST) return Made::exists;
    if (errno == ENOENT) return Made::no_directory;
    return fail(error_of_errno(errno, "open", place.leaf));
  }
  struct stat made;
  const bool written = write_all(file.get(), write_lock_text(process_->text()));
  if (!written || ::fstat(file.get(), &made) != 0) {
    const auto code = errno;
    ::unlinkat(place.dir, place.leaf.c_str(), 0);
    return fail(error_of_errno(code, "write", place.leaf));
  }
  taken.inode = Inode::of(made);
  return Made::yes;
}

Result<std::optional<Taken>> LockFiles::try_lock(const UploadId& id) {
  auto taken = try_lock_here(id);
  if (!taken && find_again()) taken = try_lock_here(id);
  // Not an error of ours to tell: there is no upload, and nothing that can be made.
  if (!taken && directory_.is_removed()) return std::optional(Taken());
  return taken;
}

Result<std::optional<Taken>> LockFiles::try_lock_here(const UploadId& id) {
  Taken taken;
  for (int i = 0; i < attempts; ++i) {
    auto place = directory_.find_or_make(id.str());
    if (!place) return fail(std::move(place.error()));
    // Something else is where its directory would be: no upload, and nobody who could hold it.
    if (!*place) return std::optional(Taken());
    const auto file = with_suffix(*std::move(place), lock_suffix);
    auto made = make(file, taken);
    if (!made) return fail(std::move(made.error()));
    if (*made == Made::yes) return std::optional(taken);
    if (*made == Made::no_directory) {  // whoever had made it has just removed it
      if (directory_.is_removed()) return fail(ErrorCode::store_unavailable, "no upload directory");
      continue;
    }
    struct stat found;
    auto what = look(file, found);
    if (!what) return fail(std::move(what.error()));
    if (*what == Found::ours) {
      // Not in our table, or nobody would have asked: we failed to remove it once.
      taken.inode = Inode::of(found);
      return std::optional(taken);
    }
    if (*what == Found::alive) return std::optional<Taken>();
    if (*what == Found::stale && !remove_stale(file)) return std::optional<Taken>();
  }
  return std::optional<Taken>();  // others are faster each time
}

// After an error: whether another look is worth while, because the directory, or what was ours in it, had been
// removed and is there again.
bool LockFiles::find_again() const {
  const std::lock_guard lock(finding_);
  if (directory_.reopen_if_gone()) return make_side() && process_->start_over();
  if (directory_.is_removed() || has_side()) return false;
  return make_side() && process_->renew();
}

bool LockFiles::has_side() const {
  struct stat side;
  return ::fstat(side_.get(), &side) == 0 && S_ISDIR(side.st_mode) && side.st_nlink > 0;
}

// Behind the same descriptor, which others are using.
Status LockFiles::make_side() const {
  if (::mkdirat(directory_.root(), ".tusd", dir_perms_) != 0 && errno != EEXIST) {
    return fail(error_of_errno(errno, "mkdir", ".tusd"));
  }
  const Fd side(::openat(directory_.root(), ".tusd", directory_flags | O_NOFOLLOW));
  if (!side || ::dup3(side.get(), side_.get(), O_CLOEXEC) < 0) {
    return fail(error_of_errno(errno, "open", ".tusd"));
  }
  return {};
}

// False when somebody else is at it: the caller waits a moment and looks again. The guard is open only now,
// so that nothing keeps the file system from being made read-only.
bool LockFiles::remove_stale(const Place& place) {
  const std::lock_guard lock(guard_mutex_);
  const Fd guard(
      ::openat(side_.get(), "locks.guard", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, file_perms_));
  if (!guard) return false;
  if (calls_.flock(guard.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  struct stat file;
  const auto what = look(place, file);
  if (!what || *what == Found::nothing) return static_cast<bool>(what);
  return *what == Found::stale && ::unlinkat(place.dir, place.leaf.c_str(), 0) == 0;
}

bool LockFiles::remove_if_stale(std::string_view path) noexcept {
  const auto place = with_suffix(directory_.find(path), lock_suffix);
  if (!place) return false;
  struct stat file;
  const auto what = look(place, file);
  return what && *what == Found::stale && remove_stale(place);
}

void LockFiles::unlock(const UploadId& id, const Taken& taken, Held held) noexcept {
  const bool look = held == Held::for_long || taken.spare != 0;
  if (taken.inode && (!look || is_ours(id, taken))) {
    const auto place = with_suffix(directory_.find(id.str()), lock_suffix);
    const char* name = place.leaf.c_str();
    const bool is_back =
        place && taken.spare != 0 && process_->take_back(taken.spare, taken.inode, place.dir, name);
    if (place && !is_back) ::unlinkat(place.dir, name, 0);
  }
  if (look && asked_at(id)) stop_asking(id);
  directory_.remove_empty_above(id.str());
}

bool LockFiles::is_ours(const UploadId& id, const Taken& taken) const {
  if (!taken.inode) return true;
  const auto place = with_suffix(directory_.find(id.str()), lock_suffix);
  struct stat file;
  if (!place) return false;
  if (::fstatat(place.dir, place.leaf.c_str(), &file, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno != ENOENT;  // a disk that does not answer has not given the lock to somebody else
  }
  return Inode::of(file) == taken.inode || (!process_->has_links() && has_our_text(place));
}

// Where there are no links, numbers of inodes may change, too.
bool LockFiles::has_our_text(const Place& place) const {
  const Fd fd(::openat(place.dir, place.leaf.c_str(), read_flags));
  std::array<char, 256> text;
  const auto length = fd ? ::pread(fd.get(), text.data(), text.size(), 0) : -1;
  if (length < 0) return errno != ENOENT;
  return std::string_view(text.data(), static_cast<std::size_t>(length)) ==
         write_lock_text(process_->text());
}

Result<bool> LockFiles::is_locked(const UploadId& id) const {
  auto locked = is_locked_here(id);
  if (!locked && find_again()) locked = is_locked_here(id);
  return locked;
}

Result<bool> LockFiles::is_locked_here(const UploadId& id) const {
  const auto place = with_suffix(directory_.find(id.str()), lock_suffix);
  if (!place) return false;
  struct stat file;
  if (::fstatat(place.dir, place.leaf.c_str(), &file, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;
    return fail(error_of_errno(errno, "stat", place.leaf));
  }
  auto what = look(place, file);
  if (!what) return fail(std::move(what.error()));
  return *what == Found::alive || *what == Found::ours;
}

void LockFiles::ask(const UploadId& id) const noexcept {
  auto place = with_suffix(directory_.find(id.str()), stop_suffix);
  if (!place) return;
  // As Go's os.Create does it: the time of a file that is there already moves on.
  const Fd stop(::openat(place.dir, place.leaf.c_str(),
                         O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                         file_perms_));
  place.leaf.replace(place.leaf.size() - stop_suffix.size(), stop_suffix.size(), lock_suffix);
  const Fd bell(
      ::openat(place.dir, place.leaf.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
}

void LockFiles::stop_asking(const UploadId& id) const noexcept {
  const auto place = with_suffix(directory_.find(id.str()), stop_suffix);
  if (place) ::unlinkat(place.dir, place.leaf.c_str(), 0);
}

std::optional<std::int64_t> LockFiles::asked_at(const UploadId& id) const {
  const auto place = with_suffix(directory_.find(id.str()), stop_suffix);
  struct stat file;
  if (!place) return std::nullopt;
  if (::fstatat(place.dir, place.leaf.c_str(), &file, AT_SYMLINK_NOFOLLOW) != 0)
    return std::nullopt;
  return nanoseconds(file.st_mtim);
}

}  // namespace tus::file_locker
