#include "hooks/bucket/bucket_outbox.h"

#include "async/event.h"
#include "async/random_id.h"
#include "async/task_group.h"
#include "hooks/bucket/claims.h"
#include "hooks/bucket/own_run.h"
#include "hooks/bucket/record_set.h"
#include "hooks/common/oldest.h"
#include "hooks/common/record_name.h"
#include "hooks/common/record_text.h"
#include "hooks/common/record_times.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

namespace tus::hooks {

namespace {

class BucketOutbox final : public Outbox {
 public:
  BucketOutbox(BucketPlace place, BucketOutboxOptions options, std::shared_ptr<Clock> clock,
               std::shared_ptr<Logger> logger, asio::any_io_executor executor)
      : options_(options),
        clock_(clock),
        logger_(std::move(logger)),
        objects_(std::move(place), std::move(clock), options.patience_behind),
        own_(objects_, options.lease, *logger_),
        claims_(objects_, own_, options.lease, *logger_),
        records_(objects_, options.lease),
        executor_(std::move(executor)),
        // It lives on in its run, or by what calls it.
        beats_([](std::exception_ptr) {}) {}

  Awaitable<Result<OutboxEntry>> put(Envelope envelope) override;
  Awaitable<Result<Envelope>> get(OutboxEntry entry) override;
  Awaitable<Result<OutboxEntry>> mark_happened(OutboxEntry entry) override;
  Awaitable<Status> remove(OutboxEntry entry) override;
  Awaitable<Status> bury(OutboxEntry entry) override;
  Awaitable<Result<std::vector<OutboxEntry>>> left_behind(std::size_t most) override;
  Awaitable<Result<std::vector<OutboxEntry>>> waiting(std::size_t most) override;
  Awaitable<Result<Turn>> turn_of(OutboxEntry entry) override;
  Awaitable<Result<bool>> is_ended_later(OutboxEntry entry) override;
  Awaitable<Result<std::size_t>> buried() override;
  Awaitable<void> close(Deadline deadline) override;

 private:
  bool is_alone() const noexcept { return options_.users == OutboxUsers::one; }
  Awaitable<Result<std::string>> own_run(Deadline deadline);
  std::string own_id() const { return is_alone() ? alone_ : own_.id(); }
  bool all_is_ours() {
    std::lock_guard lock(mutex_);
    return all_is_ours_;
  }
  bool is_ours(std::string_view owner) const {
    return is_alone() || owner == own_.id() || claims_.has(owner);
  }
  // Whether it has to be told before what comes later, and not by us.
  bool is_elsewhere(const OutboxEntry& other) {
    return owner_in(other.name) != own_id() &&
           !records_.was_handed_out(objects_.keys.record(other));
  }
  Awaitable<Result<bool>> is_older_elsewhere(const OutboxEntry& entry);
  Awaitable<void> keep_beating();
  void start_beating();

  const BucketOutboxOptions options_;
  const std::shared_ptr<Clock> clock_;
  const std::shared_ptr<Logger> logger_;
  Objects objects_;
  OwnRun own_;
  Claims claims_;
  RecordSet records_;
  RecordTimes times_;
  std::atomic<unsigned> later_ = 0;  // a number for each record that has to come behind others
  // The run of a process without others, which needs no object.
  const std::string alone_ = random_id().substr(0, nobody.size());

  std::mutex mutex_;
  bool all_is_ours_ = false;  // alone, and all that was there has been handed out
  bool is_beating_ = false;
  std::optional<std::pair<Deadline::Point, std::size_t>> buried_;  // when counted, and how many
  asio::any_io_executor executor_;
  Event closing_;
  TaskGroup beats_;
};

// ---- the run

Awaitable<Result<std::string>> BucketOutbox::own_run(Deadline deadline) {
  if (is_alone()) co_return alone_;
  auto own = co_await own_.get(deadline);
  if (own) start_beating();
  co_return own;
}

void BucketOutbox::start_beating() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(is_beating_, true)) return;
  }
  beats_.spawn(executor_, keep_beating());
}

Awaitable<void> BucketOutbox::keep_beating() {
  const auto beat = beat_of(options_.lease);
  // Waiting takes real time, whatever the clock is.
  while (!co_await closing_.wait(Deadline::after(std::chrono::steady_clock::now(), beat))) {
    // No longer than until the next one, nor than a stop may take.
    co_await own_.renew(Deadline::after(clock_->now(), beat).sooner(objects_.deadline()));
  }
}

Awaitable<void> BucketOutbox::close(Deadline deadline) {
  closing_.set();
  co_await beats_.close(Deadline::never());
  co_await own_.release(deadline);
}

// ---- records

Awaitable<Result<OutboxEntry>> BucketOutbox::put(Envelope envelope) {
  const auto deadline = Deadline::after(clock_->now(), options_.patience);
  const auto own = co_await own_run(deadline);
  if (!own) co_return fail(own.error());
  OutboxEntry entry;
  entry.line = line_of(envelope.upload_id);
  entry.event = envelope.event;
  entry.since = times_.next(clock_->wall());
  // Clocks of different machines differ. What precedes this event is in the bucket by now; a creation has nothing
  // before it, and is not kept waiting for this.
  bool is_first = false;
  if (envelope.event != HookEvent::post_create && !all_is_ours()) {
    is_first = true;
    // A record with this name may have been tried, and be there: none gets the name of another.
    const std::chrono::nanoseconds later(1 + later_.fetch_add(1) % 1'000'000);
    auto listed = co_await records_.of_line(entry.line, [&](const OutboxEntry& other) {
      entry.since = std::max(entry.since, other.since + later);
      if (is_elsewhere(other)) is_first = false;
    });
    if (!listed) co_return fail(std::move(listed.error()));
  }
  entry.name = name_with_owner(record_name(entry, envelope.event_id), *own);
  auto key = objects_.keys.record(entry);
  auto put = co_await objects_.put(key, record_text(envelope), deadline);
  if (!put) {
    // It may be there, or still come, and nobody knows of it.
    records_.add_stray(std::move(key));
    co_return fail(std::move(put.error()));
  }
  if (is_first) records_.note_first(std::move(key));
  co_return entry;
}

Awaitable<Result<Envelope>> BucketOutbox::get(OutboxEntry entry) {
  auto text = co_await objects_.get(objects_.keys.record(entry), objects_.deadline());
  if (!text) co_return fail(std::move(text.error()));
  co_return read_record(*text);
}

// Beside it, because objects cannot be renamed: whatever is cut off in the middle, there is one record.
Awaitable<Result<OutboxEntry>> BucketOutbox::mark_happened(OutboxEntry entry) {
  auto put = co_await objects_.put(objects_.keys.mark(entry), "\n", objects_.deadline());
  if (!put) co_return fail(std::move(put.error()));
  co_return with_happened(std::move(entry));
}

Awaitable<Status> BucketOutbox::remove(OutboxEntry entry) {
  // The mark first: without its record nobody would know what it is for.
  if (is_marked(entry)) {
    auto removed = co_await objects_.remove(objects_.keys.mark(entry), objects_.deadline());
    if (!removed) co_return removed;
  }
  auto key = objects_.keys.record(entry);
  auto removed = co_await objects_.remove(key, objects_.deadline());
  if (removed) records_.forget(key);
  co_return removed;
}

Awaitable<Status> BucketOutbox::bury(OutboxEntry entry) {
  auto text = co_await objects_.get(objects_.keys.record(entry), objects_.deadline());
  if (!text && text.error() == ErrorCode::upload_not_found) co_return Status();
  if (!text) co_return fail(std::move(text.error()));
  auto put =
      co_await objects_.put(objects_.keys.dead(entry), *std::move(text), objects_.deadline());
  if (!put) co_return put;
  co_return co_await remove(std::move(entry));
}

Awaitable<Result<std::vector<OutboxEntry>>> BucketOutbox::left_behind(std::size_t most) {
  records_.begin_look(is_alone() ? 0 : own_.losses());
  std::vector<OutboxEntry> others;
  Owners owners;
  const auto own = own_id();
  auto listed = co_await records_.all([&](const OutboxEntry& entry) {
    const auto owner = owner_in(entry.name);
    if (owners.find(owner) == owners.end()) owners.emplace(owner);
    if (owner != own) others.push_back(entry);
  });
  if (!listed) co_return fail(std::move(listed.error()));
  if (!is_alone()) {
    auto looked = co_await claims_.look(std::move(owners));
    if (!looked) co_return fail(std::move(looked.error()));
    if (!own_.id().empty()) start_beating();
  }
  Oldest oldest(most);
  std::size_t ours = 0;
  for (auto& entry : others) {
    if (!is_ours(owner_in(entry.name)) || !records_.may_hand_out(objects_.keys.record(entry)))
      continue;
    ++ours;
    oldest.see(std::move(entry));
  }
  auto taken = oldest.take();
  // With no wait behind this: from here on they do not count as another's.
  for (const auto& entry : taken) records_.hand_out(objects_.keys.record(entry));
  std::lock_guard lock(mutex_);
  all_is_ours_ = is_alone() && taken.size() == ours;
  co_return taken;
}

Awaitable<Result<std::vector<OutboxEntry>>> BucketOutbox::waiting(std::size_t most) {
  Oldest oldest(most);
  const auto own = own_id();
  auto listed = co_await records_.all([&](const OutboxEntry& entry) {
    if (owner_in(entry.name) == own) oldest.see(entry);
  });
  if (!listed) co_return fail(std::move(listed.error()));
  co_return oldest.take();
}

// ---- whose turn it is

Awaitable<Result<Turn>> BucketOutbox::turn_of(OutboxEntry entry) {
  const auto key = objects_.keys.record(entry);
  if (all_is_ours()) co_return Turn::now;
  // Who may have been taken for dead finds out before it tells anything.
  const auto own = co_await own_run(objects_.deadline());
  if (!own) co_return fail(own.error());
  if (is_ours(owner_in(entry.name))) {
    if (records_.is_first(key)) co_return Turn::now;
    auto older = co_await is_older_elsewhere(entry);
    if (!older) co_return fail(std::move(older.error()));
    co_return *older ? Turn::not_yet : Turn::now;
  }
  bool is_there = false;
  auto listed = co_await records_.of_line(entry.line, [&](const OutboxEntry& other) {
    if (objects_.keys.record(other) == key) is_there = true;
  });
  if (!listed) co_return fail(std::move(listed.error()));
  records_.take_back(key);
  co_return is_there ? Turn::lost : Turn::unrecorded;
}

Awaitable<Result<bool>> BucketOutbox::is_older_elsewhere(const OutboxEntry& entry) {
  bool is_older = false;
  auto listed = co_await records_.of_line(entry.line, [&](const OutboxEntry& other) {
    if (other.since < entry.since && is_elsewhere(other)) is_older = true;
  });
  if (!listed) co_return fail(std::move(listed.error()));
  // Nothing older comes any more: whatever is put from now on is later.
  if (!is_older) records_.note_first(objects_.keys.record(entry));
  co_return is_older;
}

Awaitable<Result<bool>> BucketOutbox::is_ended_later(OutboxEntry entry) {
  bool is_ended = false;
  auto listed = co_await records_.of_line(entry.line, [&](const OutboxEntry& other) {
    if (other.event == HookEvent::post_terminate && other.since > entry.since) is_ended = true;
  });
  if (!listed) co_return fail(std::move(listed.error()));
  co_return is_ended;
}

// Figures for somebody who asks often.
Awaitable<Result<std::size_t>> BucketOutbox::buried() {
  {
    std::lock_guard lock(mutex_);
    if (buried_ && clock_->now() < buried_->first + options_.lease) co_return buried_->second;
  }
  std::size_t count = 0;
  auto listed = co_await objects_.list(objects_.keys.dead(), [&](const s3::ListedObject& object) {
    count += objects_.keys.dead_at(object.key).has_value() ? 1 : 0;
    return true;
  });
  if (!listed) co_return fail(std::move(listed.error()));
  std::lock_guard lock(mutex_);
  buried_.emplace(clock_->now(), count);
  co_return count;
}

}  // namespace

std::unique_ptr<Outbox> make_bucket_outbox(BucketPlace place, BucketOutboxOptions options,
                                           std::shared_ptr<Clock> clock,
                                           std::shared_ptr<Logger> logger,
                                           asio::any_io_executor executor) {
  return std::make_unique<BucketOutbox>(std::move(place), options, std::move(clock),
                                        std::move(logger), std::move(executor));
}

}  // namespace tus::hooks
