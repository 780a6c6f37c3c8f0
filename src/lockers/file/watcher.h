// Hears of what other processes do to our locks and to those that we wait for.
#pragma once

#include "async/event.h"
#include "lockers/file/lock_files.h"

#include <tus/clock.h>
#include <tus/locker.h>
#include <tus/logger.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace tus::file_locker {

// A lock file of ours, for the watcher.
struct HeldLock {
  HeldLock(UploadId i, Taken t, std::int64_t s) : id(std::move(i)), taken(t), since(s) {}

  const UploadId id;
  const Taken taken;
  const std::int64_t since;           // ns, wall clock: `.stop` files are compared with it
  std::atomic<bool> given_up{false};  // before it is removed
  std::atomic<bool> lost{false};
  std::atomic<bool> asked{false};  // somebody has asked for it

  // Whether that `.stop` is meant for us: it came after the lock, or has changed since we saw it first. On
  // the watcher's thread.
  bool is_asked(std::int64_t stop) noexcept;

 private:
  std::int64_t old_stop_ = 0;
};

// One thread and one inotify instance. Two things are watched:
// - the file of this process, always: whoever wants one of our locks opens it for writing. That happens
//   only then, so a busy server without others on its directory never wakes up here.
// - a directory, while somebody waits for a lock in it: for files that are removed.
// Without inotify, and for Go's processes, there is a look every `holder_poll`.
class Watcher {
 public:
  // `ask` is called, on the watcher's thread, for a lock of ours that another process wants; `lost` for one
  // that somebody has removed.
  struct Calls {
    std::function<void(const HeldLock&)> ask;
    std::function<void(const HeldLock&)> lost;
  };

  Watcher(LockCalls& calls, LockFiles& files, std::chrono::milliseconds holder_poll, Calls notify,
          Logger& logger);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  using Locks = std::list<std::shared_ptr<HeldLock>>;
  Locks::iterator hold(std::shared_ptr<HeldLock> lock);
  // Before the lock file is removed.
  void forget(Locks::iterator lock);

  // Somebody who waits for a lock of another process.
  class Waiting {
   public:
    Waiting(Watcher& watcher, const UploadId& id);
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    // A new event, which is set when the lock file goes. Made before the look that finds the file there.
    std::shared_ptr<Event> next_removal();

   private:
    friend class Watcher;
    Watcher& watcher_;
    std::string name_;
    int watch_ = -1;
    std::shared_ptr<Event> removed_;  // guarded by the watcher's mutex
  };

 private:
  void run();
  void read_events();
  void watch_own_file();
  enum class Look : std::uint8_t { who_asks, all };
  void look_at_locks(Look look);
  void look_for_loss(HeldLock& lock);
  void heard(int watch, std::string_view name);
  void missed();
  void log_polling() const;

  LockFiles& files_;
  std::chrono::milliseconds holder_poll_;
  Calls notify_;
  Logger& logger_;
  Fd inotify_;
  Fd wake_;
  std::string own_name_;  // of the thread
  bool rang_ = false;     // of the thread

  std::mutex locks_mutex_;
  Locks locks_;

  std::mutex waiting_mutex_;
  std::unordered_multimap<int, Waiting*> waiting_;  // by watch

  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace tus::file_locker
