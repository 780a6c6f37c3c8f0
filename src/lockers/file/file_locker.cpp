#include "lockers/file/file_locker.h"

#include "async/run_blocking.h"
#include "lockers/file/left_overs.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <system_error>
#include <utility>

namespace tus::file_locker {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds first_look{20};

constexpr std::int64_t a_moment = 20'000'000;  // ns

std::int64_t file_system_now() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds(now);
}

// A lock file that we have, from its making to its end, whoever holds the lease meanwhile.
class DiskLock final : public lockers::OuterLock {
 public:
  DiskLock(std::shared_ptr<Shared> shared, UploadId id, const Taken& taken)
      : shared_(std::move(shared)),
        held_(std::make_shared<HeldLock>(std::move(id), taken, file_system_now())),
        watched_(shared_->watcher.hold(held_)) {}
  ~DiskLock() override {
    shared_->watcher.forget(watched_);
    // When somebody else has taken it away it is not ours to remove.
    if (!held_->lost) shared_->files->unlock(held_->id, held_->taken, held());
  }
  DiskLock(const DiskLock&) = delete;
  DiskLock& operator=(const DiskLock&) = delete;

  bool lost() const noexcept { return held_->lost; }
  void drop(std::unique_ptr<OuterLock> self, std::shared_ptr<lockers::LeaseTable> table,
            UploadId id) noexcept override;

 private:
  LockFiles::Held held() const noexcept {
    const auto age = file_system_now() - held_->since;
    const bool briefly = age >= 0 && age < a_moment && !held_->asked;
    return briefly ? LockFiles::Held::for_a_moment : LockFiles::Held::for_long;
  }

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<HeldLock> held_;
  Watcher::Locks::iterator watched_;
};

// The end of a lock as a job of the pool. A job that is destroyed before it ran does it there and then.
class Drop {
 public:
  Drop(std::unique_ptr<lockers::OuterLock> lock, std::shared_ptr<lockers::LeaseTable> table,
       UploadId id) noexcept
      : lock_(std::move(lock)), table_(std::move(table)), id_(std::move(id)) {}
  Drop(Drop&&) noexcept = default;
  Drop& operator=(Drop&&) = delete;
  ~Drop() { run(); }

  void run() noexcept {
    if (!lock_) return;
    const auto table = std::move(table_);
    if (table->pass_on(id_, lock_)) return;
    lock_.reset();
    lockers::LeaseTable::release(table, id_, nullptr);
  }

 private:
  std::unique_ptr<lockers::OuterLock> lock_;
  std::shared_ptr<lockers::LeaseTable> table_;
  UploadId id_;
};

void DiskLock::drop(std::unique_ptr<OuterLock> self, std::shared_ptr<lockers::LeaseTable> table,
                    UploadId id) noexcept {
  const auto pool = shared_->pool.lock();
  Drop end(std::move(self), std::move(table), std::move(id));
  if (!pool) return;  // and does it here
  try {
    pool->submit([end = std::move(end)](std::span<std::byte>) mutable { end.run(); });
  } catch (const std::bad_alloc&) {
    // Done by the end of `end`, wherever it was by then.
    return;
  }
}

class FileLease final : public Lease {
 public:
  explicit FileLease(lockers::Hold hold) noexcept
      : hold_(std::move(hold)), lock_(static_cast<const DiskLock*>(hold_.outer())) {}

  std::uint64_t token() const noexcept override { return hold_.token(); }
  bool lost() const noexcept override { return lock_->lost(); }

 private:
  lockers::Hold hold_;
  const DiskLock* lock_;
};

// Takes back what it has asked for, however the wait ends.
class Asking {
 public:
  Asking(LockFiles& files, const UploadId& id) noexcept : files_(files), id_(id) {}
  ~Asking() {
    if (asked_) files_.stop_asking(id_);
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  void ask() {
    asked_ = true;
    files_.ask(id_);
  }

 private:
  LockFiles& files_;
  const UploadId& id_;
  bool asked_ = false;
};

// Locks on the disk what this process holds in its table already.
class Acquisition {
 public:
  Acquisition(std::shared_ptr<Shared> shared, std::shared_ptr<BlockingPool> pool, UploadId id)
      : shared_(std::move(shared)), pool_(std::move(pool)), id_(std::move(id)) {}

  using Locked = Result<std::unique_ptr<DiskLock>>;  // nothing: another process has it

  Awaitable<Locked> lock(Deadline deadline) {
    auto job = [this](std::span<std::byte>) { return try_lock(); };
    auto locked = co_await run_blocking(*pool_, job);
    if (!locked || *locked) co_return locked;
    co_return co_await wait(deadline);
  }

 private:
  Locked try_lock() {
    auto taken = shared_->files->try_lock(id_);
    if (!taken) return fail(std::move(taken.error()));
    if (!*taken) return nullptr;
    return std::make_unique<DiskLock>(shared_, id_, **taken);
  }

  Locked ask_and_try() {
    asking_->ask();
    return try_lock();
  }

  void begin_waiting() {
    waiting_.emplace(shared_->watcher, id_);
    asking_.emplace(*shared_->files, id_);
  }
  void end_waiting() {
    waiting_.reset();
    asking_.reset();
  }

  Awaitable<Locked> wait(Deadline deadline) {
    std::chrono::milliseconds pause = first_look;
    const auto longest = std::max(first_look, shared_->options.acquirer_poll);
    Locked locked = nullptr;
    bool over = false;
    while (!over) {
      std::shared_ptr<Event> removed;
      over = deadline.passed(Clock::now());
      auto job = [&](std::span<std::byte>) {
        if (!waiting_) begin_waiting();
        removed = waiting_->next_removal();
        locked = ask_and_try();
        over = over || !locked || *locked;
        if (over) end_waiting();
        return true;
      };
      co_await run_blocking(*pool_, job);
      if (over) break;
      // Not only for the event: an owner that was killed removes nothing.
      co_await removed->wait(deadline.sooner(Deadline::after(Clock::now(), pause)));
      pause = std::min(longest, pause * 3 / 2);
    }
    if (locked && !*locked) co_return fail(ErrorCode::lock_timeout);
    co_return locked;
  }

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<BlockingPool> pool_;
  UploadId id_;
  std::optional<Watcher::Waiting> waiting_;
  std::optional<Asking> asking_;
};

Watcher::Calls watcher_calls(std::shared_ptr<lockers::LeaseTable> table,
                             std::shared_ptr<Logger> logger) {
  Watcher::Calls calls;
  calls.ask = [table](const HeldLock& lock) {
    const auto holder = table->find(lock.id);
    if (holder && holder->holder) (void)holder->holder->release_requested();
  };
  calls.lost = [table, logger](const HeldLock& lock) {
    logger->log(LogLevel::warn, "LockLost", {{"id", lock.id.str()}});
    const auto holder = table->find(lock.id);
    if (holder && holder->holder) holder->holder->lease_lost();
  };
  return calls;
}

}  // namespace

Shared::Shared(std::shared_ptr<LockCalls> c, std::unique_ptr<LockFiles> lock_files,
               FileLockerOptions o, std::weak_ptr<BlockingPool> p, std::shared_ptr<Logger> l)
    : options(std::move(o)),
      pool(std::move(p)),
      logger(std::move(l)),
      calls(std::move(c)),
      files(std::move(lock_files)),
      watcher(*calls, *files, options.holder_poll, watcher_calls(table, logger), *logger) {
  // No thread for the rest of our life where nobody has died.
  if (files->process().dead().empty()) return;
  left_overs_ = std::thread([this] { remove_left_overs(*files, stopping_); });
}

Shared::~Shared() {
  stopping_ = true;
  if (left_overs_.joinable()) left_overs_.join();
}

Awaitable<Result<std::unique_ptr<Lease>>> FileLocker::acquire(UploadId id, Deadline deadline,
                                                              std::shared_ptr<LeaseHolder> holder) {
  auto hold = co_await lockers::hold(shared_->table, id, deadline, std::move(holder));
  if (!hold) co_return fail(std::move(hold.error()));
  const auto* inherited = static_cast<const DiskLock*>(hold->outer());
  if (inherited == nullptr || inherited->lost()) {
    hold->set_outer(nullptr);
    Acquisition acquisition(shared_, pool_, std::move(id));
    auto locked = co_await acquisition.lock(deadline);
    if (!locked) co_return fail(std::move(locked.error()));
    hold->set_outer(*std::move(locked));
  }
  co_return std::make_unique<FileLease>(*std::move(hold));
}

Awaitable<Result<bool>> FileLocker::is_held(UploadId id) {
  if (shared_->table->is_held(id)) co_return true;
  auto job = [&](std::span<std::byte>) { return shared_->files->is_locked(id); };
  co_return co_await run_blocking(*pool_, job);
}

Awaitable<Result<std::uint64_t>> FileLocker::remove_stale(std::chrono::sys_seconds since) {
  auto job = [&](std::span<std::byte>) -> Result<std::uint64_t> {
    return remove_old_locks(*shared_->files, since, shared_->stopping());
  };
  co_return co_await run_blocking(*pool_, job, Blocking::for_long);
}

Result<std::shared_ptr<FileLocker>> make(FileLockerOptions options,
                                         std::shared_ptr<LockCalls> calls,
                                         std::shared_ptr<BlockingPool> pool,
                                         std::shared_ptr<Logger> logger) {
  const auto directory = options.directory.string();
  auto files = LockFiles::open(*calls, directory, options.dir_perms, options.file_perms);
  if (!files) {
    return fail(ErrorCode::store_unavailable,
                "locks cannot be kept in " + directory + ": " + files.error().detail());
  }
  if (const auto& why = (*files)->process().why_alone(); !why.empty()) {
    logger->log(LogLevel::warn, "LocksForOneServerOnly", {{"cause", why}, {"dir", directory}});
  }
  try {
    auto shared = std::make_shared<Shared>(std::move(calls), *std::move(files), std::move(options),
                                           pool, std::move(logger));
    return std::make_shared<FileLocker>(std::move(shared), std::move(pool));
  } catch (const std::system_error& error) {
    return fail(ErrorCode::store_unavailable, std::string("locks: ") + error.what());
  }
}

}  // namespace tus::file_locker

TUS_NAMESPACE_BEGIN

namespace {

class NoLease final : public Lease {
 public:
  explicit NoLease(std::uint64_t token) noexcept : token_(token) {}
  std::uint64_t token() const noexcept override { return token_; }
  bool lost() const noexcept override { return false; }

 private:
  std::uint64_t token_;
};

class NoLocker final : public Locker {
 public:
  Awaitable<Result<std::unique_ptr<Lease>>> acquire(UploadId, Deadline,
                                                    std::shared_ptr<LeaseHolder>) override {
    co_return std::make_unique<NoLease>(1 + tokens_.fetch_add(1, std::memory_order_relaxed));
  }
  Awaitable<Result<bool>> is_held(UploadId) override { co_return false; }

 private:
  std::atomic<std::uint64_t> tokens_{0};
};

}  // namespace

Result<std::shared_ptr<Locker>> make_file_locker(FileLockerOptions options,
                                                 std::shared_ptr<BlockingPool> pool,
                                                 std::shared_ptr<Logger> logger) {
  return file_locker::make(std::move(options), std::make_shared<file_locker::LockCalls>(),
                           std::move(pool), std::move(logger));
}

std::shared_ptr<Locker> make_no_locker() { return std::make_shared<NoLocker>(); }

TUS_NAMESPACE_END
