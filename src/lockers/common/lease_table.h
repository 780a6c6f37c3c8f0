// Who holds an upload in this process, who waits for it, and how it is handed over.
#pragma once

#include "async/event.h"

#include <tus/locker.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace tus::lockers {

class LeaseTable;

// A lock that other processes see. It belongs to the holder of the lease and goes on to the next one as
// long as somebody in this process waits.
class OuterLock {
 public:
  virtual ~OuterLock() = default;

  // Nobody waits here: drops the lock, on a thread that may block, and then calls
  // table->release(id, nullptr). Until then newcomers stand in line. Whoever finds that somebody has
  // come meanwhile may pass the lock on instead: table->pass_on(id, self).
  virtual void drop(std::unique_ptr<OuterLock> self, std::shared_ptr<LeaseTable> table,
                    UploadId id) noexcept = 0;
};

// One acquire() that stands in line. Shared by the queue and its coroutine, because whoever wakes
// it still touches the event while the coroutine already goes on.
struct Waiter {
  explicit Waiter(std::shared_ptr<LeaseHolder> h) : holder(std::move(h)) {}

  enum class Fate : std::uint8_t { waiting, granted, refused };

  std::shared_ptr<LeaseHolder> holder;
  // Guarded by the shard.
  Fate fate = Fate::waiting;
  std::uint64_t token = 0;
  std::unique_ptr<OuterLock> outer;
  bool others_behind = false;  // when it was let in

  Event decided;
};

// Who holds an upload, as one look at the table saw it.
struct Seen {
  std::shared_ptr<LeaseHolder> holder;
  std::uint64_t token = 0;
};

// All calls may come from any thread.
class LeaseTable {
 public:
  LeaseTable();

  // The token of the new lease when nobody holds the upload, else 0 and who does.
  std::uint64_t try_hold(const UploadId& id, const std::shared_ptr<LeaseHolder>& holder,
                         Seen& present);
  // Stands in line, older requests first, or takes the lease at once when the upload has become free meanwhile. The holder
  // now, when it is another than the `asked` one, which then has to be asked too.
  std::optional<Seen> enqueue(const UploadId& id, const std::shared_ptr<Waiter>& waiter,
                              std::uint64_t asked);
  // A waiter that stops waiting: it is out of the line afterwards, and its fate does not change any more.
  Waiter::Fate leave(const UploadId& id, const std::shared_ptr<Waiter>& waiter);
  bool is_held(const UploadId& id);
  // The present holder.
  std::optional<Seen> find(const UploadId& id);

  // Gives a lease up. With an outer lock and nobody in line, that one is dropped first.
  static void release(const std::shared_ptr<LeaseTable>& table, const UploadId& id,
                      std::unique_ptr<OuterLock> outer) noexcept;
  // Hands a lease that is being dropped to the first in line, with its outer lock. False, and nothing
  // has changed, when nobody waits.
  bool pass_on(const UploadId& id, std::unique_ptr<OuterLock>& outer) noexcept;

 private:
  // A list, because most are empty: an empty deque is half a KiB.
  using Queue = std::list<std::shared_ptr<Waiter>>;

  // An upload that somebody holds; uploads that nobody holds have none.
  struct Slot {
    std::shared_ptr<LeaseHolder> holder;
    std::uint64_t token = 0;
    Queue queue;
  };

  struct Shard {
    std::mutex mutex;
    std::unordered_map<UploadId, Slot> held;
  };

  Shard& shard_of(const UploadId& id) {
    return shards_[std::hash<UploadId>{}(id) % shards_.size()];
  }
  std::uint64_t next_token();
  void hand_over(Slot& slot, Waiter& waiter);
  std::shared_ptr<Waiter> take_next(Slot& slot, std::unique_ptr<OuterLock>& outer);
  void let_in(const UploadId& id, Waiter& waiter) noexcept;
  void refuse_all(const UploadId& id, std::uint64_t token);

  std::array<Shard, 32> shards_;
  std::shared_ptr<LeaseHolder> dropping_;  // stands in a slot whose outer lock is being dropped
  std::atomic<std::uint64_t> last_token_{0};
};

// A place in the table that somebody holds. Given up when this is destroyed. It is there, with all the
// memory it needs, before the table grants it: what is granted cannot get lost.
class Hold {
 public:
  Hold(std::shared_ptr<LeaseTable> table, UploadId id) noexcept
      : table_(std::move(table)), id_(std::move(id)) {}
  ~Hold() {
    if (token_ != 0) LeaseTable::release(table_, id_, std::move(outer_));
  }
  Hold(Hold&& other) noexcept
      : table_(std::move(other.table_)),
        id_(std::move(other.id_)),
        token_(std::exchange(other.token_, 0)),
        outer_(std::move(other.outer_)) {}
  Hold& operator=(Hold&&) = delete;

  // The table has granted it.
  void grant(std::uint64_t token, std::unique_ptr<OuterLock> outer = nullptr) noexcept {
    token_ = token;
    outer_ = std::move(outer);
  }

  std::uint64_t token() const noexcept { return token_; }
  OuterLock* outer() const noexcept { return outer_.get(); }
  void set_outer(std::unique_ptr<OuterLock> outer) noexcept { outer_ = std::move(outer); }

 private:
  std::shared_ptr<LeaseTable> table_;
  UploadId id_;
  std::uint64_t token_ = 0;  // 0: nothing is held
  std::unique_ptr<OuterLock> outer_;
};

// Takes the upload, or waits for it. Errors: upload_locked, lock_timeout, as Locker::acquire().
Awaitable<Result<Hold>> hold(std::shared_ptr<LeaseTable> table, UploadId id, Deadline deadline,
                             std::shared_ptr<LeaseHolder> holder);

}  // namespace tus::lockers
