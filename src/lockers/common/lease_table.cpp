#include "lockers/common/lease_table.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tus::lockers {

namespace {

using Answer = LeaseHolder::Answer;

// A waiter asks again this often: the holder may have begun something meanwhile that cannot be stopped.
constexpr std::chrono::milliseconds ask_again_every{250};

Answer ask(LeaseHolder* holder) { return holder ? holder->release_requested() : Answer::busy; }

Answer ask(LeaseHolder* holder, const LeaseHolder& asker) {
  if (holder != nullptr && holder->since() > asker.since()) return Answer::busy;
  return ask(holder);
}

// Stands in a slot whose outer lock is being dropped: newcomers wait the moment that takes.
class Dropping final : public LeaseHolder {
 public:
  Answer release_requested() noexcept override { return Answer::releasing; }
  void lease_lost() noexcept override {}
};

// A place in the line. It is given up whatever happens to the coroutine: one that is destroyed with its
// event loop must leave neither a timer of that loop nor a lease behind.
class Place {
 public:
  Place(std::shared_ptr<LeaseTable> table, UploadId id, std::shared_ptr<LeaseHolder> holder)
      : table_(std::move(table)),
        id_(std::move(id)),
        waiter_(std::make_shared<Waiter>(std::move(holder))) {}
  ~Place() {
    if (!waiter_) return;
    // Granted, but nobody is there any more to have it.
    if (table_->leave(id_, waiter_) != Waiter::Fate::granted) return;
    LeaseTable::release(table_, id_, std::move(waiter_->outer));
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  // Stands in line, unless the holder is busy.
  Answer enqueue(std::uint64_t asked) {
    // Whoever came into the upload between our two looks may not know yet that somebody waits.
    const auto changed = table_->enqueue(id_, waiter_, asked);
    return changed ? ask(changed->holder.get(), *waiter_->holder) : Answer::releasing;
  }

  Answer ask_again() {
    const auto present = table_->find(id_);
    if (!present || present->holder == waiter_->holder) return Answer::releasing;
    return ask(present->holder.get(), *waiter_->holder);
  }

  Awaitable<bool> decided(Deadline deadline) { return waiter_->decided.wait(deadline); }

  // Gives the place up. Whether the lease was granted by now.
  Waiter::Fate leave(Hold& hold) noexcept {
    const auto waiter = std::exchange(waiter_, nullptr);
    const auto fate = table_->leave(id_, waiter);
    if (fate == Waiter::Fate::granted) hold.grant(waiter->token, std::move(waiter->outer));
    return fate;
  }

 private:
  std::shared_ptr<LeaseTable> table_;
  UploadId id_;
  std::shared_ptr<Waiter> waiter_;
};

Awaitable<Answer> wait_for_decision(Place& place, Deadline deadline) {
  for (;;) {
    const auto again = Deadline::after(std::chrono::steady_clock::now(), ask_again_every);
    if (co_await place.decided(deadline.sooner(again))) co_return Answer::releasing;
    if (deadline.passed(std::chrono::steady_clock::now())) co_return Answer::releasing;
    if (place.ask_again() == Answer::busy) co_return Answer::busy;
  }
}

}  // namespace

LeaseTable::LeaseTable() : dropping_(std::make_shared<Dropping>()) {}

std::uint64_t LeaseTable::try_hold(const UploadId& id, const std::shared_ptr<LeaseHolder>& holder,
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

std::optional<Seen> LeaseTable::enqueue(const UploadId& id, const std::shared_ptr<Waiter>& waiter,
                                        std::uint64_t asked) {
  auto& shard = shard_of(id);
  std::lock_guard lock(shard.mutex);
  auto [it, inserted] = shard.held.try_emplace(id);
  auto& slot = it->second;
  if (inserted) {
    hand_over(slot, *waiter);
    waiter->decided.set();
    return std::nullopt;
  }
  const auto newer = [&](const std::shared_ptr<Waiter>& other) {
    return other->holder->since() > waiter->holder->since();
  };
  slot.queue.insert(std::ranges::find_if(slot.queue, newer), waiter);
  if (slot.token == asked) return std::nullopt;
  return Seen{slot.holder, slot.token};
}

Waiter::Fate LeaseTable::leave(const UploadId& id, const std::shared_ptr<Waiter>& waiter) {
  auto& shard = shard_of(id);
  std::lock_guard lock(shard.mutex);
  if (waiter->fate == Waiter::Fate::waiting) {
    auto it = shard.held.find(id);
    if (it != shard.held.end()) std::erase(it->second.queue, waiter);
  }
  return waiter->fate;
}

bool LeaseTable::is_held(const UploadId& id) {
  auto& shard = shard_of(id);
  std::lock_guard lock(shard.mutex);
  return shard.held.contains(id);
}

std::optional<Seen> LeaseTable::find(const UploadId& id) {
  auto& shard = shard_of(id);
  std::lock_guard lock(shard.mutex);
  auto it = shard.held.find(id);
  if (it == shard.held.end()) return std::nullopt;
  return Seen{it->second.holder, it->second.token};
}

void LeaseTable::release(const std::shared_ptr<LeaseTable>& table, const UploadId& id,
                         std::unique_ptr<OuterLock> outer) noexcept {
  std::shared_ptr<Waiter> next;
  {
    auto& shard = table->shard_of(id);
    std::lock_guard lock(shard.mutex);
    auto it = shard.held.find(id);
    auto& slot = it->second;
    if (!slot.queue.empty()) {
      next = table->take_next(slot, outer);
    } else if (outer) {
      slot.holder = table->dropping_;
    } else {
      shard.held.erase(it);
      return;
    }
  }
  if (next) {
    table->let_in(id, *next);
  } else {
    auto* lock = outer.get();
    lock->drop(std::move(outer), table, id);
  }
}

bool LeaseTable::pass_on(const UploadId& id, std::unique_ptr<OuterLock>& outer) noexcept {
  std::shared_ptr<Waiter> next;
  {
    auto& shard = shard_of(id);
    std::lock_guard lock(shard.mutex);
    auto& slot = shard.held.find(id)->second;
    if (slot.queue.empty()) return false;
    next = take_next(slot, outer);
  }
  let_in(id, *next);
  return true;
}

// With the shard's mutex held.
std::shared_ptr<Waiter> LeaseTable::take_next(Slot& slot, std::unique_ptr<OuterLock>& outer) {
  auto next = std::move(slot.queue.front());
  slot.queue.pop_front();
  next->outer = std::move(outer);
  hand_over(slot, *next);
  next->others_behind = !slot.queue.empty();
  return next;
}

void LeaseTable::let_in(const UploadId& id, Waiter& waiter) noexcept {
  // Those behind have asked the old holder only. Asked before it wakes up, so that it need not
  // begin.
  if (waiter.others_behind && ask(waiter.holder.get()) == Answer::busy) {
    refuse_all(id, waiter.token);
  }
  waiter.decided.set();
}

// Ends the wait of everybody behind the holder with `token`.
void LeaseTable::refuse_all(const UploadId& id, std::uint64_t token) {
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

// Grows for all uploads, so that nothing has to be remembered of those that are free; and by the clock, so
// that it also grows when the upload goes on in another process of this machine.
std::uint64_t LeaseTable::next_token() {
  const auto now =
      static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  auto last = last_token_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    next = std::max(last + 1, now);
  } while (!last_token_.compare_exchange_weak(last, next, std::memory_order_relaxed));
  return next;
}

void LeaseTable::hand_over(Slot& slot, Waiter& waiter) {
  slot.holder = waiter.holder;
  slot.token = next_token();
  waiter.fate = Waiter::Fate::granted;
  waiter.token = slot.token;
}

Awaitable<Result<Hold>> hold(std::shared_ptr<LeaseTable> table, UploadId id, Deadline deadline,
                             std::shared_ptr<LeaseHolder> holder) {
  Hold hold(table, id);
  Seen present;
  if (const auto token = table->try_hold(id, holder, present); token != 0) {
    hold.grant(token);
    co_return std::move(hold);
  }
  auto answer = ask(present.holder.get(), *holder);
  if (answer == Answer::busy) co_return fail(ErrorCode::upload_locked);
  Place place(std::move(table), std::move(id), std::move(holder));
  answer = place.enqueue(present.token);
  present.holder.reset();
  if (answer != Answer::busy) answer = co_await wait_for_decision(place, deadline);

  const auto fate = place.leave(hold);
  if (fate == Waiter::Fate::granted) co_return std::move(hold);
  const bool busy = answer == Answer::busy || fate == Waiter::Fate::refused;
  co_return fail(busy ? ErrorCode::upload_locked : ErrorCode::lock_timeout);
}

}  // namespace tus::lockers
