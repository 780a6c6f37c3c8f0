#include "hooks/outbox/outbox_directory.h"

#include "async/random_id.h"
#include "hooks/common/oldest.h"
#include "hooks/common/record_name.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tus::hooks {

namespace {

constexpr const char* again = "again";
constexpr const char* dead = "dead";
constexpr const char* lock_name = "lock";
// Records have the headers of requests, and those may be secrets.
constexpr mode_t only_us = 0700;
constexpr mode_t only_us_file = 0600;

std::unexpected<Error> failed(std::string_view what, std::string_view path) {
  const int code = errno;
  const bool is_full = code == ENOSPC || code == EDQUOT;
  return fail(is_full ? ErrorCode::no_space : ErrorCode::store_unavailable,
              std::string(what) + " " + std::string(path) + ": " + std::strerror(code));
}

void see_name(Oldest& oldest, std::string_view name) {
  if (!oldest.wants(name)) return;
  if (auto entry = entry_named(name)) oldest.see(*std::move(entry));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

Result<std::string> read_file(int at, const std::string& name) {
  const Fd file(::openat(at, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT)
    return fail(ErrorCode::upload_not_found, "record " + name + " is gone");
  if (!file) return failed("cannot open", name);
  std::string text;
  char buffer[16384];
  for (;;) {
    const auto n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("cannot read", name);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
  }
}

Result<Fd> make_directory(int at, const char* name) {
  if (::mkdirat(at, name, only_us) != 0 && errno != EEXIST) return failed("cannot make", name);
  auto made = open_directory(at, name);
  if (!made) return failed("cannot open", name);
  return made;
}

// With all above it.
Result<Fd> make_path(const std::string& path) {
  for (std::size_t at = 1; (at = path.find('/', at)) != std::string::npos; ++at) {
    const auto above = path.substr(0, at);
    if (::mkdir(above.c_str(), only_us) != 0 && errno != EEXIST)
      return failed("cannot make", above);
  }
  return make_directory(AT_FDCWD, path.c_str());
}

}  // namespace

Result<std::unique_ptr<OutboxDirectory>> OutboxDirectory::open(std::string path,
                                                               OutboxSafety safety) {
  std::unique_ptr<OutboxDirectory> outbox(new OutboxDirectory(std::move(path), safety));
  std::lock_guard lock(outbox->mutex_);
  if (auto made = outbox->make_home(); !made) return fail(std::move(made.error()));
  return outbox;
}

OutboxDirectory::~OutboxDirectory() {
  // The next process takes over what is left. Not removed while records are in it.
  if (!home_) return;
  bool empty = true;
  for_each_name(home_->directory.get(), [&empty](std::string_view name) {
    if (name != "." && name != ".." && name != lock_name) empty = false;
  });
  if (!empty) return;
  ::unlinkat(home_->directory.get(), lock_name, 0);
  ::unlinkat(home_->root.get(), home_->name.c_str(), AT_REMOVEDIR);
}

// Locked before it has the name under which others look for it.
Status OutboxDirectory::make_home() {
  auto root = make_path(path_);
  if (!root) return fail(std::move(root.error()));
  const auto id = random_id().substr(0, 16);
  const auto hidden = ".new-" + id;
  auto home = make_directory(root->get(), hidden.c_str());
  if (!home) return fail(std::move(home.error()));
  Fd lock(::openat(home->get(), lock_name, O_RDWR | O_CREAT | O_CLOEXEC, only_us_file));
  if (!lock) return failed("cannot make", hidden);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return failed("cannot lock", hidden);
  const auto name = "run-" + id;
  if (::renameat(root->get(), hidden.c_str(), root->get(), name.c_str()) != 0) {
    return failed("cannot rename", hidden);
  }
  if (safety_ == OutboxSafety::synced && ::fsync(root->get()) != 0)
    return failed("cannot sync", path_);
  auto made = std::make_shared<Home>();
  made->root = std::move(*root);
  made->directory = std::move(*home);
  made->lock = std::move(lock);
  made->name = name;
  home_ = std::move(made);
  return {};
}

std::shared_ptr<const OutboxDirectory::Home> OutboxDirectory::home() const {
  std::lock_guard lock(mutex_);
  return home_;
}

Status OutboxDirectory::put(const std::string& name, std::string_view text) {
  const auto at = home();
  auto put = put_at_home(at->directory.get(), name, text);
  struct stat now{};
  const bool is_removed = !put && ::fstat(at->directory.get(), &now) == 0 && now.st_nlink == 0;
  if (!is_removed) return put;
  std::lock_guard lock(mutex_);
  if (home_ == at) {
    if (auto made = make_home(); !made) return made;
  }
  return put_at_home(home_->directory.get(), name, text);
}

Status OutboxDirectory::put_at_home(int home, const std::string& name,
                                    std::string_view text) const {
  const Fd file(::openat(home, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                         only_us_file));
  if (!file) return failed("cannot make", name);
  const bool is_synced = safety_ == OutboxSafety::synced;
  bool good = write_all(file.get(), text);
  if (good && is_synced) good = ::fsync(file.get()) == 0 && ::fsync(home) == 0;
  if (good) return {};
  auto error = failed("cannot write", name);
  ::unlinkat(home, name.c_str(), 0);
  return error;
}

Result<std::string> OutboxDirectory::get(const std::string& name) {
  return read_file(home()->directory.get(), name);
}

Status OutboxDirectory::rename(const std::string& from, const std::string& to) {
  const auto at = home();
  const int directory = at->directory.get();
  if (::renameat(directory, from.c_str(), directory, to.c_str()) != 0) {
    return failed("cannot rename", from);
  }
  return {};
}

Status OutboxDirectory::remove(const std::string& name) {
  if (::unlinkat(home()->directory.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
    return failed("cannot remove", name);
  }
  return {};
}

Status OutboxDirectory::bury(const std::string& name) {
  const auto at = home();
  auto grave = make_directory(at->root.get(), dead);
  if (!grave) return fail(std::move(grave.error()));
  if (::renameat(at->directory.get(), name.c_str(), grave->get(), name.c_str()) != 0) {
    return failed("cannot rename", name);
  }
  return {};
}

std::vector<std::string> OutboxDirectory::other_places(const Home& home) {
  std::vector<std::string> places;
  for_each_name(home.root.get(), [&](std::string_view name) {
    if (is_other_place(name, home.name)) places.emplace_back(name);
  });
  return places;
}

Fd OutboxDirectory::lock_of_dead(int place) {
  Fd lock(::openat(place, lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, only_us_file));
  if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return lock;
}

Result<std::vector<OutboxEntry>> OutboxDirectory::take_over(std::size_t most) {
  std::vector<OutboxEntry> taken;
  const auto at = home();
  for (const auto& name : other_places(*at)) {
    if (taken.size() >= most) break;
    const auto place = open_directory(at->root.get(), name.c_str());
    if (!place) continue;
    const auto lock = lock_of_dead(place.get());
    if (!lock) continue;
    take_records(place.get(), *at, most - taken.size(), taken);
    bool empty = true;
    for_each_name(place.get(), [&empty](std::string_view left) {
      if (left != "." && left != ".." && left != lock_name) empty = false;
    });
    if (!empty) continue;
    ::unlinkat(place.get(), lock_name, 0);
    ::unlinkat(at->root.get(), name.c_str(), AT_REMOVEDIR);
  }
  std::ranges::sort(taken, {}, &OutboxEntry::name);
  return taken;
}

void OutboxDirectory::take_records(int place, const Home& home, std::size_t most,
                                   std::vector<OutboxEntry>& taken) {
  Oldest oldest(most);
  for_each_name(place, [&oldest](std::string_view name) { see_name(oldest, name); });
  for (auto& entry : oldest.take()) {
    const auto* name = entry.name.c_str();
    if (::renameat(place, name, home.directory.get(), name) != 0) continue;
    taken.push_back(std::move(entry));
  }
}

Result<std::vector<OutboxEntry>> OutboxDirectory::list(std::size_t most) {
  Oldest oldest(most);
  const bool read = for_each_name(home()->directory.get(),
                                  [&oldest](std::string_view name) { see_name(oldest, name); });
  if (!read) return failed("cannot read", path_);
  return oldest.take();
}

Result<bool> OutboxDirectory::is_older_elsewhere(const OutboxEntry& entry) {
  const auto at = home();
  return others_.has_older(at->root.get(), at->name, entry);
}

std::chrono::system_clock::time_point OutboxDirectory::newest_elsewhere() const {
  std::chrono::system_clock::time_point newest;
  const auto at = home();
  for (const auto& name : other_places(*at)) {
    const auto place = open_directory(at->root.get(), name.c_str());
    if (!place) continue;
    for_each_name(place.get(), [&newest](std::string_view record) {
      const auto entry = entry_named(record);
      if (entry) newest = std::max(newest, entry->since);
    });
  }
  return newest;
}

Result<bool> OutboxDirectory::is_ended_later(const OutboxEntry& entry) {
  const auto at = home();
  return others_.has_end(at->root.get(), at->name, entry);
}

Result<std::size_t> OutboxDirectory::count_buried() {
  const auto at = home();
  std::lock_guard lock(buried_mutex_);
  const auto now = Stamp::of(at->root.get(), dead);
  if (!now) return 0;
  if (buried_stamp_.still_holds(*now)) return buried_;
  const auto grave = open_directory(at->root.get(), dead);
  if (!grave) return 0;
  std::size_t count = 0;
  for_each_name(grave.get(),
                [&count](std::string_view name) { count += entry_named(name).has_value(); });
  buried_stamp_ = *now;
  buried_ = count;
  return count;
}

// ---- without an open outbox

Result<std::vector<OutboxEntry>> list_buried(const std::string& path) {
  std::vector<OutboxEntry> entries;
  const auto grave = open_directory(AT_FDCWD, (path + "/" + dead).c_str());
  if (!grave && errno == ENOENT) return entries;
  if (!grave) return failed("cannot open", path);
  for_each_name(grave.get(), [&entries](std::string_view name) {
    if (auto entry = entry_named(name)) entries.push_back(*std::move(entry));
  });
  std::ranges::sort(entries, {}, &OutboxEntry::name);
  return entries;
}

Result<std::string> read_buried(const std::string& path, const OutboxEntry& entry) {
  return read_file(AT_FDCWD, path + "/" + dead + "/" + entry.name);
}

Status replay_buried(const std::string& path, const OutboxEntry& entry,
                     std::chrono::system_clock::time_point now) {
  auto root = make_path(path);
  if (!root) return fail(std::move(root.error()));
  auto place = make_directory(root->get(), again);
  if (!place) return fail(std::move(place.error()));
  const auto renewed = with_time(with_happened(entry), now);
  const auto from = std::string(dead) + "/" + entry.name;
  if (::renameat(root->get(), from.c_str(), place->get(), renewed.name.c_str()) != 0) {
    return failed("cannot rename", from);
  }
  return {};
}

}  // namespace tus::hooks
