#include "hooks/common/record_name.h"
#include "hooks/common/record_times.h"
#include "hooks/outbox/outboxes.h"

#include <map>
#include <mutex>
#include <utility>

namespace tus::hooks {

namespace {

class MemoryOutbox final : public Outbox {
 public:
  MemoryOutbox(std::shared_ptr<Clock> clock, std::size_t most)
      : clock_(std::move(clock)), most_(most) {}

  Awaitable<Result<OutboxEntry>> put(Envelope envelope) override {
    OutboxEntry entry;
    entry.line = line_of(envelope.upload_id);
    entry.event = envelope.event;
    entry.since = times_.next(clock_->wall());
    entry.name = record_name(entry, envelope.event_id);
    std::lock_guard lock(mutex_);
    records_.emplace(entry.name, std::move(envelope));
    if (records_.size() > most_) records_.erase(records_.begin());
    co_return entry;
  }
  Awaitable<Result<Envelope>> get(OutboxEntry entry) override {
    std::lock_guard lock(mutex_);
    const auto record = records_.find(entry.name);
    if (record == records_.end()) co_return fail(ErrorCode::upload_not_found, "dropped");
    co_return record->second;
  }
  Awaitable<Result<OutboxEntry>> mark_happened(OutboxEntry entry) override {
    auto marked = with_happened(entry);
    std::lock_guard lock(mutex_);
    auto record = records_.extract(entry.name);
    if (record.empty()) co_return fail(ErrorCode::upload_not_found, "dropped");
    record.key() = marked.name;
    records_.insert(std::move(record));
    co_return marked;
  }
  Awaitable<Status> remove(OutboxEntry entry) override {
    std::lock_guard lock(mutex_);
    records_.erase(entry.name);
    co_return Status();
  }
  Awaitable<Status> bury(OutboxEntry entry) override {
    co_return co_await remove(std::move(entry));
  }
  Awaitable<Result<std::vector<OutboxEntry>>> left_behind(std::size_t) override {
    co_return std::vector<OutboxEntry>();
  }
  Awaitable<Result<std::vector<OutboxEntry>>> waiting(std::size_t most) override {
    std::vector<OutboxEntry> entries;
    std::lock_guard lock(mutex_);
    for (const auto& [name, envelope] : records_) {
      if (entries.size() == most) break;
      if (auto entry = entry_named(name)) entries.push_back(*std::move(entry));
    }
    co_return entries;
  }
  Awaitable<Result<Turn>> turn_of(OutboxEntry) override { co_return Turn::now; }
  Awaitable<Result<bool>> is_ended_later(OutboxEntry) override { co_return false; }
  Awaitable<Result<std::size_t>> buried() override { co_return 0; }
  Awaitable<void> close(Deadline) override { co_return; }

 private:
  std::shared_ptr<Clock> clock_;
  const std::size_t most_;
  RecordTimes times_;
  std::mutex mutex_;
  std::map<std::string, Envelope> records_;
};

}  // namespace

std::unique_ptr<Outbox> make_memory_outbox(std::shared_ptr<Clock> clock, std::size_t most) {
  return std::make_unique<MemoryOutbox>(std::move(clock), most);
}

}  // namespace tus::hooks
