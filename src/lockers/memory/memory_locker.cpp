#include "async/event.h"

#include <tus/memory_locker.h>

#include <array>
#include <atomic>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace {

using Answer = LeaseHolder::Answer;

// One acquire() that stands in line. Shared by the queue and its coroutine, because whoever wakes
// it still touches the event while the coroutine already goes on.
struct Waiter {
  explicit Waiter(std::shared_ptr<LeaseHolder> h) : holder(std::move(h)) {}

  enum class Fate : std::uint8_t { waiting, granted, refused };

  std::shared_ptr<LeaseHolder> holder;
  Fate fate = Fate::waiting;  // guarded by the shard
  std::uint64_t token = 0;    // guarded by the shard
  Event decided;
};

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

Answer ask(LeaseHolder* holder) { return holder ? holder->release_requested() : Answer::busy; }

// Who holds an upload, as one look at the table saw it.
struct Seen {
  std::shared_ptr<LeaseHolder> holder;
  std::uint64_t token = 0;
};

class Table {
 public:
  // The token of the new lease when nobody holds the upload, else 0 and who does.
  std::uint64_t try_hold(const UploadId& id, const std::shared_ptr<LeaseHolder>& holder,
                         Seen& present) {
    auto& shard = shard_of(id);
    std::lock_guard lock(shard.mutex);
    auto [it, inserted] = shard.held.try_emplace(id);
    if (!inserted) {
      present = {it->second.holder, it->second.token};
      return 0;
    }
    it->second.holder = holder;
    it->second.token = next_token();
    return it->second.token;
  }

  // Stands in line, or takes the lease at once when the upload has become free meanwhile. The holder
  // now, when it is another than the `asked` one, which then has to be asked too.
  std::optional<Seen> enqueue(const UploadId& id, const std::shared_ptr<Waiter>& waiter,
                              std::uint64_t asked) {
    auto& shard = shard_of(id);
    std::lock_guard lock(shard.mutex);
    auto [it, inserted] = shard.held.try_emplace(id);
    auto& slot = it->second;
    if (inserted) {
      hand_over(slot, waiter);
      waiter->decided.set();
      return std::nullopt;
    }
    slot.queue.push_back(waiter);
    if (slot.token == asked) return std::nullopt;
    return Seen{slot.holder, slot.token};
  }

  // What has become of a waiter that stops waiting; it is out of the line afterwards.
  std::pair<Waiter::Fate, std::uint64_t> leave(const UploadId& id,
                                               const std::shared_ptr<Waiter>& waiter) {
    auto& shard = shard_of(id);
    std::lock_guard lock(shard.mutex);
    if (waiter->fate == Waiter::Fate::waiting) {
      auto it = shard.held.find(id);
      if (it != shard.held.end()) std::erase(it->second.queue, waiter);
    }
    return {waiter->fate, waiter->token};
  }

  void release(const UploadId& id) {
    std::shared_ptr<Waiter> next;
    bool others_wait = false;
    {
      auto& shard = shard_of(id);
      std::lock_guard lock(shard.mutex);
      auto it = shard.held.find(id);
      auto& slot = it->second;
      if (slot.queue.empty()) {
        shard.held.erase(it);
        return;
      }
      next = std::move(slot.queue.front());
      slot.queue.pop_front();
      hand_over(slot, next);
      others_wait = !slot.queue.empty();
    }
    // Those behind have asked the old holder only. Asked before it wakes up, so that it need not
    // begin.
    if (others_wait && ask(next->holder.get()) == Answer::busy) refuse_all(id, next->token);
    next->decided.set();
  }

  // Ends the wait of everybody behind the holder with `token`.
  void refuse_all(const UploadId& id, std::uint64_t token) {
    Queue refused;
    {
      auto& shard = shard_of(id);
      std::lock_guard lock(shard.mutex);
      auto it = shard.held.find(id);
      if (it == shard.held.end() || it->second.token != token) return;
      refused.swap(it->second.queue);
      for (auto& waiter : refused) waiter->fate = Waiter::Fate::refused;
    }
    for (auto& waiter : refused) waiter->decided.set();
  }

  bool is_held(const UploadId& id) {
    auto& shard = shard_of(id);
    std::lock_guard lock(shard.mutex);
    return shard.held.contains(id);
  }

 private:
  Shard& shard_of(const UploadId& id) {
    return shards_[std::hash<UploadId>{}(id) % shards_.size()];
  }

  // One counter for all uploads: it grows for each of them, and needs no memory of those that are
  // free.
  std::uint64_t next_token() { return tokens_.fetch_add(1, std::memory_order_relaxed) + 1; }

  void hand_over(Slot& slot, const std::shared_ptr<Waiter>& waiter) {
    slot.holder = waiter->holder;
    slot.token = next_token();
    waiter->fate = Waiter::Fate::granted;
    waiter->token = slot.token;
  }

  std::array<Shard, 32> shards_;
  std::atomic<std::uint64_t> tokens_{0};
};

class MemoryLease final : public Lease {
 public:
  MemoryLease(std::shared_ptr<Table> table, UploadId id, std::uint64_t token)
      : table_(std::move(table)), id_(std::move(id)), token_(token) {}
  ~MemoryLease() override { table_->release(id_); }

  std::uint64_t token() const noexcept override { return token_; }
  bool lost() const noexcept override { return false; }

 private:
  std::shared_ptr<Table> table_;
  UploadId id_;
  std::uint64_t token_;
};

// A place in the line. It is given up whatever happens to the coroutine: one that is destroyed with its
// event loop must leave neither a timer of that loop nor a lease behind.
class Place {
 public:
  Place(std::shared_ptr<Table> table, UploadId id, std::shared_ptr<LeaseHolder> holder)
      : table_(std::move(table)),
        id_(std::move(id)),
        waiter_(std::make_shared<Waiter>(std::move(holder))) {}
  ~Place() { leave(); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::optional<Seen> enqueue(std::uint64_t asked) { return table_->enqueue(id_, waiter_, asked); }
  Awaitable<bool> decided(Deadline deadline) { return waiter_->decided.wait(deadline); }

  // The lease, if it was granted by now.
  std::unique_ptr<Lease> leave() {
    if (!waiter_) return nullptr;
    auto [fate, token] = table_->leave(id_, waiter_);
    refused_ = fate == Waiter::Fate::refused;
    waiter_.reset();
    if (fate != Waiter::Fate::granted) return nullptr;
    return std::make_unique<MemoryLease>(table_, id_, token);
  }
  bool refused() const { return refused_; }

 private:
  std::shared_ptr<Table> table_;
  UploadId id_;
  std::shared_ptr<Waiter> waiter_;
  bool refused_ = false;
};

Awaitable<Result<std::unique_ptr<Lease>>> wait_in_line(std::shared_ptr<Table> table, UploadId id,
                                                       Deadline deadline,
                                                       std::shared_ptr<LeaseHolder> holder,
                                                       Seen present) {
  if (ask(present.holder.get()) == Answer::busy) co_return fail(ErrorCode::upload_locked);
  Place place(std::move(table), std::move(id), std::move(holder));
  bool busy = false;
  {
    // Whoever came into the upload between our two looks may not know yet that somebody waits.
    auto changed = place.enqueue(present.token);
    busy = changed && ask(changed->holder.get()) == Answer::busy;
    present.holder.reset();
  }
  if (!busy) co_await place.decided(deadline);

  auto lease = place.leave();
  if (lease) co_return std::move(lease);
  busy = busy || place.refused();
  co_return fail(busy ? ErrorCode::upload_locked : ErrorCode::lock_timeout);
}

class MemoryLocker final : public Locker {
 public:
  Awaitable<Result<std::unique_ptr<Lease>>> acquire(UploadId id, Deadline deadline,
                                                    std::shared_ptr<LeaseHolder> holder) override {
    Seen present;
    auto token = table_->try_hold(id, holder, present);
    if (token != 0) co_return std::make_unique<MemoryLease>(table_, std::move(id), token);
    co_return co_await wait_in_line(table_, std::move(id), deadline, std::move(holder),
                                    std::move(present));
  }

  Awaitable<Result<bool>> is_held(UploadId id) override { co_return table_->is_held(id); }

 private:
  std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace

std::shared_ptr<Locker> make_memory_locker() { return std::make_shared<MemoryLocker>(); }

TUS_NAMESPACE_END
