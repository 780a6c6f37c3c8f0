#include "core/eviction.h"

#include <algorithm>
#include <limits>

namespace tus::core {

namespace {

bool goes_before(const EvictionPlan::Victim& a, const EvictionPlan::Victim& b) noexcept {
  return a.key < b.key;
}

}  // namespace

bool may_be_evicted(const UploadInfo& info, const HandlerOptions& options) noexcept {
  if (room_of(info) == 0) return false;
  if (info.finished()) return options.evict_finished;
  // One that is being finished, or that was given up and waits for an operator.
  return !info.finishing() && info.finish != FinishState::abandoned;
}

std::uint64_t EvictionPlan::key_of(const UploadInfo& info) const noexcept {
  constexpr auto last = std::numeric_limits<std::uint64_t>::max();
  if (order_ == EvictOrder::biggest) return last - room_of(info);
  if (!info.last_activity) return last;
  const auto seconds = info.last_activity->time_since_epoch().count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0));
}

bool EvictionPlan::wants(const UploadInfo& info) const noexcept {
  return !is_enough() || key_of(info) < chosen_.front().key;
}

void EvictionPlan::add(const UploadInfo& info) {
  chosen_.emplace_back(info.id, room_of(info), key_of(info));
  std::ranges::push_heap(chosen_, goes_before);
  room_ += std::min(room_of(info), std::numeric_limits<std::uint64_t>::max() - room_);
  // The last ones are not needed any more when those before them are enough.
  while (room_ - std::min(room_, chosen_.front().room) >= missing_ && chosen_.size() > 1) {
    std::ranges::pop_heap(chosen_, goes_before);
    room_ -= chosen_.back().room;
    chosen_.pop_back();
  }
}

std::vector<EvictionPlan::Victim> EvictionPlan::victims() && {
  if (!is_enough()) return {};
  std::ranges::sort_heap(chosen_, goes_before);
  return std::move(chosen_);
}

Turnstile::Pass::~Pass() {
  if (!over_) return;
  {
    std::lock_guard lock(turnstile_->mutex_);
    turnstile_->inside_.reset();
  }
  over_->set();
}

// Whom to wait for; nothing: `mine` is inside now.
std::shared_ptr<Event> Turnstile::try_enter(std::shared_ptr<Event>& mine) {
  std::lock_guard lock(mutex_);
  if (inside_) return inside_;
  inside_ = mine;
  return nullptr;
}

Awaitable<std::optional<Turnstile::Pass>> Turnstile::enter(Deadline deadline) {
  auto mine = std::make_shared<Event>();
  while (auto other = try_enter(mine)) {
    if (!co_await other->wait(deadline)) co_return std::nullopt;
  }
  co_return Pass(*this, std::move(mine));
}

}  // namespace tus::core
