#include "async/run_blocking.h"
#include "hooks/common/record_name.h"
#include "hooks/common/record_text.h"
#include "hooks/common/record_times.h"
#include "hooks/outbox/outboxes.h"

#include <tus/blocking_pool.h>

#include <atomic>
#include <utility>

namespace tus::hooks {

namespace {

class Moving {
 public:
  explicit Moving(std::atomic<bool>& flag) : flag_(flag) { flag_ = true; }
  ~Moving() { flag_ = false; }
  Moving(const Moving&) = delete;
  Moving& operator=(const Moving&) = delete;

 private:
  std::atomic<bool>& flag_;
};

class FileOutbox final : public Outbox {
 public:
  FileOutbox(std::unique_ptr<OutboxDirectory> directory, OutboxSafety safety,
             std::shared_ptr<BlockingPool> pool, std::shared_ptr<Clock> clock)
      : directory_(std::move(directory)),
        how_(safety == OutboxSafety::synced ? Blocking::for_long : Blocking::briefly),
        pool_(std::move(pool)),
        clock_(std::move(clock)),
        times_(directory_->newest_elsewhere()) {}

  Awaitable<Result<OutboxEntry>> put(Envelope envelope) override {
    OutboxEntry entry;
    entry.line = line_of(envelope.upload_id);
    entry.event = envelope.event;
    entry.since = times_.next(clock_->wall());
    entry.name = record_name(entry, envelope.event_id);
    const auto text = record_text(envelope);
    auto written = co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->put(entry.name, text); }, how_);
    if (!written) co_return fail(std::move(written.error()));
    co_return entry;
  }
  Awaitable<Result<Envelope>> get(OutboxEntry entry) override {
    auto text = co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->get(entry.name); });
    if (!text) co_return fail(std::move(text.error()));
    co_return read_record(*text);
  }
  Awaitable<Result<OutboxEntry>> mark_happened(OutboxEntry entry) override {
    auto marked = with_happened(entry);
    auto renamed = co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->rename(entry.name, marked.name); });
    if (!renamed) co_return fail(std::move(renamed.error()));
    co_return marked;
  }
  Awaitable<Status> remove(OutboxEntry entry) override {
    co_return co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->remove(entry.name); });
  }
  Awaitable<Status> bury(OutboxEntry entry) override {
    co_return co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->bury(entry.name); });
  }
  Awaitable<Result<std::vector<OutboxEntry>>> left_behind(std::size_t most) override {
    const Moving moving(is_moving_);
    co_return co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->take_over(most); });
  }
  Awaitable<Result<std::vector<OutboxEntry>>> waiting(std::size_t most) override {
    co_return co_await run_blocking(*pool_,
                                    [&](std::span<std::byte>) { return directory_->list(most); });
  }
  Awaitable<Result<Turn>> turn_of(OutboxEntry entry) override {
    auto older = co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->is_older_elsewhere(entry); });
    if (!older) co_return fail(std::move(older.error()));
    // What is on its way to us is in nobody's directory, or in ours and nobody has heard of it.
    co_return *older || is_moving_ ? Turn::not_yet : Turn::now;
  }
  Awaitable<Result<bool>> is_ended_later(OutboxEntry entry) override {
    co_return co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->is_ended_later(entry); });
  }
  Awaitable<Result<std::size_t>> buried() override {
    co_return co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->count_buried(); });
  }
  // The kernel tells others that we are gone.
  Awaitable<void> close(Deadline) override { co_return; }

 private:
  std::unique_ptr<OutboxDirectory> directory_;
  const Blocking how_;
  std::shared_ptr<BlockingPool> pool_;
  std::shared_ptr<Clock> clock_;
  RecordTimes times_;
  std::atomic<bool> is_moving_ = false;
};

}  // namespace

Result<std::unique_ptr<Outbox>> make_file_outbox(std::string path, OutboxSafety safety,
                                                 std::shared_ptr<BlockingPool> pool,
                                                 std::shared_ptr<Clock> clock) {
  auto directory = OutboxDirectory::open(std::move(path), safety);
  if (!directory) return fail(std::move(directory.error()));
  return std::make_unique<FileOutbox>(*std::move(directory), safety, std::move(pool),
                                      std::move(clock));
}

}  // namespace tus::hooks
