// The part of the deliveries that looks after records which are only in the outbox: of processes that died,
// and of ours when there were too many for memory.
#include "hooks/common/deliveries.h"

#include <algorithm>
#include <exception>
#include <ranges>
#include <utility>

namespace tus::hooks {

namespace {

// At a store that does not answer; then it is not asked so often for the others.
constexpr int looks_before_a_guess = 20;

}  // namespace

Awaitable<void> Deliveries::look_around() {
  for (;;) {
    std::exception_ptr thrown;
    try {
      co_await drop_again();
      co_await take_over();
      co_await refill();
    } catch (...) {
      thrown = std::current_exception();
    }
    if (thrown) parts_.logger.log(LogLevel::error, "HookDeliveryThrew", {});
    {
      std::lock_guard lock(mutex_);
      arriving_.clear();
    }
    if (co_await stopping_.wait(Deadline::after(parts_.clock.now(), options_.look_around)))
      co_return;
  }
}

Awaitable<void> Deliveries::drop_again() {
  std::vector<OutboxEntry> left;
  {
    std::lock_guard lock(mutex_);
    left.swap(undropped_);
  }
  for (auto& entry : left) co_await drop(std::move(entry));
}

Awaitable<void> Deliveries::take_over() {
  {
    std::lock_guard lock(mutex_);
    if (records_ >= options_.most_in_memory) co_return;
  }
  auto left = co_await left_behind();
  if (!left) {
    log(LogLevel::error, "HookRecordsUnreadable", OutboxEntry(), "", left.error());
    co_return;
  }
  // From the newest on: whatever was terminated has been there.
  std::unordered_map<std::uint64_t, bool> ended;
  std::vector<OutboxEntry> entries;
  for (auto& entry : std::views::reverse(*left)) {
    auto& ended_later = ended[entry.line];
    if (!co_await settle(entry, ended_later)) continue;
    if (entry.has_happened && entry.event == HookEvent::post_terminate) ended_later = true;
    entries.push_back(std::move(entry));
  }
  add(std::move(entries));
}

Awaitable<Result<std::vector<OutboxEntry>>> Deliveries::left_behind() {
  auto left = co_await parts_.outbox.left_behind(options_.most_in_memory);
  std::lock_guard lock(mutex_);
  if (left) {
    for (const auto& entry : *left) arriving_.insert(entry.line);
  }
  co_return left;
}

// The answer of the outbox is about other processes: what has left them meanwhile is ours.
bool Deliveries::may_be_preceded(const OutboxEntry& entry) const {
  std::lock_guard lock(mutex_);
  return arriving_.contains(entry.line) || lines_.at(entry.line).has_older_behind();
}

// False: its change was not made, and it is gone.
Awaitable<bool> Deliveries::settle(OutboxEntry& entry, bool ended_later) {
  if (entry.has_happened) co_return true;
  if (entry.event != HookEvent::post_terminate) {
    // Whoever has removed it may be alive, or may be us.
    if (!ended_later) ended_later = (co_await parts_.outbox.is_ended_later(entry)).value_or(false);
    if (ended_later) {
      entry.has_happened = true;
      co_return true;
    }
  }
  auto made = co_await was_made(entry);
  if (!made && made.error() == ErrorCode::upload_damaged) {
    // Its process died while it wrote it, so that nothing has come of it.
    log(LogLevel::warn, "HookRecordDamaged", entry, "", made.error());
    const auto buried = co_await parts_.outbox.bury(entry);
    if (buried) parts_.metrics.hook_given_up(entry.event);
    co_return false;
  }
  // Better told once too often than never; but receivers drop what comes again, so that a guess that was wrong would
  // hide what happens later.
  for (int look = 1; !made && look < looks_before_a_guess && !may_guess_; ++look) {
    const auto later = Deadline::after(parts_.clock.now(), options_.ask_again);
    if (co_await stopping_.wait(later)) break;
    made = co_await was_made(entry);
  }
  may_guess_ = !made;
  if (!made) log(LogLevel::warn, "HookRecordUnclear", entry, "", made.error());
  entry.has_happened = made ? *made : true;
  if (!entry.has_happened) co_await drop(entry);
  co_return entry.has_happened;
}

Awaitable<Result<bool>> Deliveries::was_made(OutboxEntry entry) {
  auto envelope = co_await parts_.outbox.get(entry);
  if (!envelope) co_return fail(std::move(envelope.error()));
  auto id = UploadId::parse(envelope->upload_id);
  if (!id) co_return false;
  const auto deadline = Deadline::after(parts_.clock.now(), options_.call_timeout);
  auto info = co_await parts_.store.inspect(*std::move(id), deadline);
  const bool is_gone = !info && (info.error() == ErrorCode::upload_not_found ||
                                 info.error() == ErrorCode::upload_gone);
  if (entry.event == HookEvent::post_terminate) {
    if (!info && !is_gone) co_return fail(std::move(info.error()));
    co_return is_gone;
  }
  if (is_gone) co_return false;
  if (!info) co_return fail(std::move(info.error()));
  co_return entry.event != HookEvent::post_finish || info->finished();
}

void Deliveries::add(std::vector<OutboxEntry> entries) {
  std::vector<std::uint64_t> keys;
  std::lock_guard lock(mutex_);
  for (auto& entry : entries) {
    const auto key = entry.line;
    Item item;
    item.entry = std::move(entry);
    count_in(item.entry);
    lines_[key].insert(std::move(item));
    ++records_;
    keys.push_back(key);
  }
  // Not before: the oldest of a line goes first.
  for (const auto key : keys) pump(key);
}

Awaitable<void> Deliveries::refill() {
  bool some_are_unmarked = false;
  {
    std::lock_guard lock(mutex_);
    if (!overflowed_ || records_ > options_.most_in_memory / 2) co_return;
    some_are_unmarked = unmarked_ > 0;
  }
  auto waiting = co_await parts_.outbox.waiting(options_.most_in_memory);
  if (!waiting) {
    log(LogLevel::error, "HookRecordsUnreadable", OutboxEntry(), "", waiting.error());
    co_return;
  }
  {
    std::lock_guard lock(mutex_);
    std::erase_if(*waiting, [this](const OutboxEntry& entry) {
      const auto line = lines_.find(entry.line);
      return !entry.has_happened ||
             (line != lines_.end() && line->second.find(entry.name) != nullptr);
    });
    outside_ -= std::min(outside_, waiting->size());
    if (waiting->empty() && !some_are_unmarked) {
      overflowed_ = false;
      outside_ = 0;
    }
  }
  add(*std::move(waiting));
}

}  // namespace tus::hooks
