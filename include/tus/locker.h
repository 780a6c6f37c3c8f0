// One writer per upload: exclusive leases, with take-over.
#pragma once

#include <tus/async.h>
#include <tus/deadline.h>
#include <tus/error.h>
#include <tus/upload_id.h>

#include <chrono>
#include <cstdint>
#include <memory>

TUS_NAMESPACE_BEGIN

// What the holder of a lease hears from the locker. Calls come from any thread, must not block and must
// not call the locker back.
class TUS_EXPORT LeaseHolder {
 public:
  enum class Answer : std::uint8_t {
    releasing,  // I stop what I am doing, save what I have and release
    busy,       // I am in something that cannot be stopped (a hook, a finish); the asker gets 423
  };

  virtual ~LeaseHolder() = default;
  virtual Answer release_requested() noexcept = 0;
  // The lease is, or is about to be, somebody else's: write nothing more.
  virtual void lease_lost() noexcept = 0;
  // When its request came. Older ones stand in line before newer ones, also when they ask again, and a
  // newer holder is not asked to release for an older one. Always the same answer.
  virtual Deadline::Point since() const noexcept { return Deadline::Point::min(); }
};

class TUS_EXPORT Lease {
 public:
  virtual ~Lease() = default;  // gives the lease up, without waiting for a remote locker to confirm

  // Grows with every acquisition of the same upload, so that a store can refuse a writer from the past.
  // 0 for an upload that its creator has not told anybody about and that needs no lock.
  virtual std::uint64_t token() const noexcept = 0;
  // Any thread. True from a margin before a remote lease runs out unrenewed.
  virtual bool lost() const noexcept = 0;
};

class TUS_EXPORT Locker {
 public:
  virtual ~Locker() = default;

  // Asks the present holder, if any, to release, and waits for it. Whoever waits keeps its place, and is
  // turned away as soon as the locker sees that the holder has become busy. `id` and `holder` are kept as
  // long as the lease lives. Errors: upload_locked (the holder is busy, or came later), lock_timeout,
  // store_unavailable.
  virtual Awaitable<Result<std::unique_ptr<Lease>>> acquire(
      UploadId id, Deadline deadline, std::shared_ptr<LeaseHolder> holder) = 0;

  // Whether anybody holds the upload now: a reader that finds it free needs no lease.
  virtual Awaitable<Result<bool>> is_held(UploadId id) = 0;

  // Removes locks that have been there since before `since` and whose holders are dead, where such can be.
  // How many. May be called at any time.
  virtual Awaitable<Result<std::uint64_t>> remove_stale(std::chrono::sys_seconds since);
};

TUS_NAMESPACE_END
