#include "stores/file/file_store.h"

#include "async/run_blocking.h"
#include "stores/file/create.h"
#include "stores/file/file_upload.h"
#include "stores/file/join_marks.h"
#include "stores/file/left_overs.h"
#include "stores/file/read_stream.h"
#include "stores/file/scan.h"
#include "stores/file/timed_syscalls.h"

#include <utility>

namespace tus::file_store {

StoreCapabilities FileStore::capabilities() const noexcept {
  StoreCapabilities can;
  can.staged_append = true;
  can.keeps_digest = true;
  can.concatenate = true;
  can.needs_finish = !context_->off();
  return can;
}

Awaitable<Result<std::unique_ptr<Upload>>> FileStore::create(UploadDraft draft, const Lease& lease,
                                                             std::span<const std::byte> first,
                                                             Deadline) {
  auto job = [&](std::span<std::byte> scratch) {
    return context_->checked(create_files(*context_, std::move(draft), lease, first, scratch));
  };
  const bool syncs =
      context_->always() || draft.finish == FinishState::finished || !draft.partial_uploads.empty();
  const auto how = syncs ? context_->syncing() : Blocking::briefly;
  auto made = co_await run_blocking(*context_->pool, job, how);
  if (!made) co_return fail(made.error());
  std::shared_ptr<Unsafe> unsafe;
  const auto& info = made->file.info;
  if (context_->keeper && info.finish != FinishState::finished) {
    unsafe = context_->keeper->fresh_entry(info.id);
    context_->keeper->wrote(unsafe, info.offset);
  }
  co_return std::make_unique<FileUpload>(*context_, *std::move(made), std::move(unsafe));
}

Awaitable<Result<std::unique_ptr<Upload>>> FileStore::open(UploadId id, const Lease& lease,
                                                           Deadline) {
  if (lease.lost()) co_return fail(ErrorCode::lease_lost);
  // Before the record is read: see DurableKeeper::find.
  auto unsafe = context_->keeper ? context_->keeper->find(id) : nullptr;
  auto job = [&](std::span<std::byte> scratch) {
    return context_->checked(context_->records.load(id, scratch));
  };
  auto loaded = co_await run_blocking(*context_->pool, job);
  if (!loaded) co_return fail(loaded.error());
  if (context_->keeper && !unsafe) unsafe = context_->keeper->saw(*loaded);
  co_return std::make_unique<FileUpload>(*context_, *std::move(loaded), std::move(unsafe));
}

Awaitable<Result<OpenedUpload>> FileStore::open_and_append(UploadId id, const Lease& lease,
                                                           BodySource& source, AppendCheck check,
                                                           Deadline) {
  if (lease.lost()) co_return fail(ErrorCode::lease_lost);
  auto unsafe = context_->keeper ? context_->keeper->find(id) : nullptr;
  std::unique_ptr<FileUpload> upload;
  std::unique_ptr<FileUpload::Run> run;
  auto job = [&](std::span<std::byte> scratch) -> Status {
    auto loaded = context_->checked(context_->records.load(id, scratch));
    if (!loaded) return fail(loaded.error());
    if (context_->keeper && !unsafe) unsafe = context_->keeper->saw(*loaded);
    upload = std::make_unique<FileUpload>(*context_, *std::move(loaded), std::move(unsafe));
    if (auto request = check(upload->info())) {
      run = upload->begin_append(lease, source, *request, scratch);
    }
    return {};
  };
  auto begun = co_await run_blocking(*context_->pool, job, context_->appending());
  if (!begun) co_return fail(begun.error());
  OpenedUpload opened;
  if (run) opened.appended = co_await upload->go_on(lease, source, std::move(run));
  opened.upload = std::move(upload);
  co_return opened;
}

Awaitable<Result<UploadInfo>> FileStore::inspect(UploadId id, Deadline) {
  auto job = [&](std::span<std::byte> scratch) {
    return context_->checked(context_->records.load_consistent(id, scratch));
  };
  auto loaded = co_await run_blocking(*context_->pool, job);
  if (!loaded) co_return fail(loaded.error());
  context_->handover->seen(*loaded);
  if (context_->keeper) (void)context_->keeper->saw(*loaded);
  co_return std::move(loaded->file.info);
}

Awaitable<Result<std::unique_ptr<ReadStream>>> FileStore::read(UploadId id, ByteRange range,
                                                               Deadline) {
  auto job = [&](std::span<std::byte> scratch) {
    return context_->checked(open_read_stream(*context_, id, range, scratch));
  };
  co_return co_await run_blocking(*context_->pool, job);
}

std::unique_ptr<UploadScan> FileStore::scan(ScanOptions options) {
  return std::make_unique<DirectoryScan>(*context_, options);
}

Awaitable<Result<std::optional<std::uint64_t>>> FileStore::remove_left_over(
    UploadId id, const Lease& lease, std::chrono::sys_seconds idle_since, Deadline) {
  auto job = [&](std::span<std::byte> scratch) {
    return context_->checked(remove_rest(*context_, id, lease, idle_since, scratch));
  };
  co_return co_await run_blocking(*context_->pool, job, Blocking::for_long);
}

Awaitable<Result<std::vector<UploadId>>> FileStore::pending_joins(Deadline) {
  auto job = [&](std::span<std::byte> scratch) {
    return context_->checked(list_join_marks(*context_, scratch));
  };
  co_return co_await run_blocking(*context_->pool, job);
}

Awaitable<Result<StoreUsage>> FileStore::usage(Deadline) {
  auto job = [&](std::span<std::byte>) { return measure(context_->layout.root()); };
  co_return co_await run_blocking(*context_->pool, job, Blocking::for_long);
}

Awaitable<Status> FileStore::health(Deadline) {
  auto job = [&](std::span<std::byte>) { return context_->checked(context_->records.probe()); };
  co_return co_await run_blocking(*context_->pool, job, Blocking::for_long);
}

Awaitable<void> FileStore::close(Deadline deadline) {
  auto job = [&](std::span<std::byte> scratch) {
    const bool all_safe = !context_->keeper || context_->keeper->sync_all(deadline);
    context_->handover->clean(deadline, scratch);
    return all_safe;
  };
  bool safe = co_await run_blocking(*context_->pool, job, Blocking::for_long);
  if (!safe) context_->logger->log(LogLevel::warn, "UploadsNotSafeAtExit", {});
}

}  // namespace tus::file_store

TUS_NAMESPACE_BEGIN

Result<std::shared_ptr<Store>> make_file_store(FileStoreOptions options,
                                               std::shared_ptr<BlockingPool> pool,
                                               std::shared_ptr<Clock> clock,
                                               std::shared_ptr<Logger> logger) {
  file_store::Machine machine;
  if (options.metrics) machine.calls = file_store::make_timed_syscalls(options.metrics);
  auto context = file_store::make_context(std::move(options), std::move(machine), std::move(pool),
                                          std::move(clock), std::move(logger));
  if (!context) return fail(context.error());
  return std::make_shared<file_store::FileStore>(*std::move(context));
}

TUS_NAMESPACE_END
