#include "lockers/file/watcher.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace tus::file_locker {

namespace {

std::string path_of(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

}  // namespace

Watcher::Watcher(LockCalls& calls, LockFiles& files, std::chrono::milliseconds holder_poll,
                 Calls notify, Logger& logger)
    : files_(files),
      holder_poll_(std::max(holder_poll, std::chrono::milliseconds(1))),
      notify_(std::move(notify)),
      logger_(logger),
      inotify_(calls.inotify_init()),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!inotify_) log_polling();
  watch_own_file();
  thread_ = std::thread(&Watcher::run, this);
}

Watcher::~Watcher() {
  stopping_ = true;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

// Again after the file was renewed. The watch of the old one stays: there may be locks that link to it.
void Watcher::watch_own_file() {
  auto name = files_.process().name();
  if (!inotify_ || name.empty() || name == own_name_) return;
  own_name_ = std::move(name);
  const auto path = path_of(files_.side()) + "/" + own_name_;
  if (::inotify_add_watch(inotify_.get(), path.c_str(), IN_CLOSE_WRITE) < 0) log_polling();
}

void Watcher::log_polling() const {
  const auto why = std::generic_category().message(errno);
  logger_.log(LogLevel::warn, "LocksArePolled", {{"cause", why}});
}

Watcher::Locks::iterator Watcher::hold(std::shared_ptr<HeldLock> lock) {
  const std::lock_guard guard(locks_mutex_);
  return locks_.insert(locks_.end(), std::move(lock));
}

void Watcher::forget(Locks::iterator lock) {
  (*lock)->given_up = true;
  const std::lock_guard guard(locks_mutex_);
  locks_.erase(lock);
}

void Watcher::run() {
  auto next_look = std::chrono::steady_clock::now() + holder_poll_;
  while (!stopping_) {
    std::array<pollfd, 2> ready{{{wake_.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}}};
    const auto wait =
        std::chrono::ceil<std::chrono::milliseconds>(next_look - std::chrono::steady_clock::now());
    (void)::poll(ready.data(), inotify_ ? 2 : 1,
                 static_cast<int>(std::clamp<std::int64_t>(wait.count(), 0, 60'000)));
    if (stopping_) return;
    if (ready[1].revents != 0) read_events();
    const auto now = std::chrono::steady_clock::now();
    const bool rang = std::exchange(rang_, false);
    if (now < next_look) {
      if (rang) look_at_locks(Look::who_asks);
      continue;
    }
    look_at_locks(Look::all);
    watch_own_file();
    next_look = now + holder_poll_;
  }
}

void Watcher::read_events() {
  alignas(inotify_event) std::array<char, 16 << 10> buffer;
  for (;;) {
    const auto length = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (length <= 0) return;
    for (const char* at = buffer.data(); at < buffer.data() + length;) {
      inotify_event event;
      std::memcpy(&event, at, sizeof event);
      const char* name = at + sizeof event;
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        missed();
      } else if ((event.mask & IN_CLOSE_WRITE) != 0) {
        rang_ = true;
      } else if (event.len > 0) {
        heard(event.wd, name);
      }
    }
  }
}

void Watcher::heard(int watch, std::string_view name) {
  const std::lock_guard guard(waiting_mutex_);
  const auto [begin, end] = waiting_.equal_range(watch);
  for (auto it = begin; it != end; ++it) {
    auto& waiting = *it->second;
    if (waiting.removed_ && waiting.name_ == name) waiting.removed_->set();
  }
}

// The kernel has forgotten some events: each of them may have happened.
void Watcher::missed() {
  rang_ = true;
  const std::lock_guard guard(waiting_mutex_);
  for (auto& [watch, waiting] : waiting_) {
    if (waiting->removed_) waiting->removed_->set();
  }
}

void Watcher::look_at_locks(Look look) {
  std::vector<std::shared_ptr<HeldLock>> all;
  {
    const std::lock_guard guard(locks_mutex_);
    all.assign(locks_.begin(), locks_.end());
  }
  for (const auto& lock : all) {
    if (stopping_) return;
    const auto stop = files_.asked_at(lock->id);
    if (stop && lock->is_asked(*stop)) {
      lock->asked = true;
      notify_.ask(*lock);
    }
    if (look == Look::all) look_for_loss(*lock);
  }
}

// `given_up` is looked at last: it is set before we remove the file ourselves.
void Watcher::look_for_loss(HeldLock& lock) {
  if (files_.is_ours(lock.id, lock.taken) || lock.given_up || lock.lost.exchange(true)) return;
  notify_.lost(lock);
}

// One that is older than the lock is left from the past. Whoever waits makes it anew again and again, so
// that clocks which do not agree, as on a network, do not matter for long.
bool HeldLock::is_asked(std::int64_t stop) noexcept {
  if (stop >= since) return true;
  if (old_stop_ == 0) old_stop_ = stop;
  return stop > old_stop_;
}

Watcher::Waiting::Waiting(Watcher& watcher, const UploadId& id) : watcher_(watcher) {
  const auto place = watcher.files_.directory().find(id.str());
  name_ = place.leaf + ".lock";
  if (!place || !watcher.inotify_) return;
  const std::lock_guard guard(watcher.waiting_mutex_);
  watch_ = ::inotify_add_watch(watcher.inotify_.get(), path_of(place.dir).c_str(),
                               IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR);
  if (watch_ >= 0) watcher.waiting_.emplace(watch_, this);
}

Watcher::Waiting::~Waiting() {
  if (watch_ < 0) return;
  const std::lock_guard guard(watcher_.waiting_mutex_);
  const auto [begin, end] = watcher_.waiting_.equal_range(watch_);
  watcher_.waiting_.erase(
      std::find_if(begin, end, [this](auto& one) { return one.second == this; }));
  if (!watcher_.waiting_.contains(watch_)) ::inotify_rm_watch(watcher_.inotify_.get(), watch_);
}

std::shared_ptr<Event> Watcher::Waiting::next_removal() {
  auto event = std::make_shared<Event>();
  const std::lock_guard guard(watcher_.waiting_mutex_);
  removed_ = event;
  return event;
}

}  // namespace tus::file_locker
