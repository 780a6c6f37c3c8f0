#include "async/run_blocking.h"
#include "hooks/common/record_name.h"
#include "hooks/outbox/outboxes.h"
#include "hooks/outbox/record_text.h"
#include "hooks/outbox/record_times.h"

#include <tus/blocking_pool.h>

#include <utility>

namespace tus::hooks {

namespace {

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
    co_return co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->take_over(most); });
  }
  Awaitable<Result<std::vector<OutboxEntry>>> waiting(std::size_t most) override {
    co_return co_await run_blocking(*pool_,
                                    [&](std::span<std::byte>) { return directory_->list(most); });
  }
  Awaitable<Result<bool>> is_older_elsewhere(OutboxEntry entry) override {
    co_return co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->is_older_elsewhere(entry); });
  }
  Awaitable<Result<bool>> is_ended_later(OutboxEntry entry) override {
    co_return co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->is_ended_later(entry); });
  }
  Awaitable<Result<std::size_t>> buried() override {
    co_return co_await run_blocking(
        *pool_, [&](std::span<std::byte>) { return directory_->count_buried(); });
  }

 private:
  std::unique_ptr<OutboxDirectory> directory_;
  const Blocking how_;
  std::shared_ptr<BlockingPool> pool_;
  std::shared_ptr<Clock> clock_;
  RecordTimes times_;
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
