#include "stores/s3/bucket_store.h"

#include "stores/s3/creation.h"
#include "stores/s3/left_overs.h"
#include "stores/s3/reading.h"
#include "stores/s3/repair.h"
#include "stores/s3/s3_upload.h"
#include "stores/s3/scan.h"

#include <utility>

namespace tus::s3 {

StoreCapabilities BucketStore::capabilities() const noexcept {
  StoreCapabilities can;
  can.concatenate = true;
  can.staged_append = true;
  can.keeps_digest = true;
  return can;
}

Awaitable<Result<UploadDraft>> BucketStore::place(UploadDraft draft, Deadline deadline) {
  return s3::place(*context_, std::move(draft), deadline);
}

Awaitable<void> BucketStore::give_up_place(UploadDraft draft, Deadline deadline) {
  return s3::give_up_place(*context_, std::move(draft), deadline);
}

Awaitable<Result<std::unique_ptr<Upload>>> BucketStore::create(UploadDraft draft,
                                                               const Lease& lease,
                                                               std::span<const std::byte> first,
                                                               Deadline deadline) {
  Creation creation(*context_, lease, first, deadline);
  co_return co_await creation.make(std::move(draft));
}

Awaitable<Result<std::unique_ptr<Upload>>> BucketStore::open(UploadId id, const Lease& lease,
                                                             Deadline deadline) {
  if (lease.lost()) co_return fail(ErrorCode::lease_lost);
  if (auto warm = context_->warm.take(id)) {
    auto upload =
        std::make_unique<S3Upload>(*context_, std::move(warm->state), std::move(warm->tail));
    // What is remembered is true, or is found out not to be.
    auto claimed = co_await upload->work().claim(lease, deadline);
    if (claimed) co_return upload;
    const bool gone = claimed.error() == ErrorCode::upload_gone;
    if (!gone) co_return fail(std::move(claimed.error()));
  }
  auto state = co_await context_->looker.look(id, deadline);
  if (!state && state.error() == ErrorCode::upload_not_found) {
    // Who asks for a termination again wants its bytes to go.
    auto ended = co_await go_on_terminating(*context_, std::move(id), lease, deadline);
    if (!ended) co_return fail(std::move(ended.error()));
  }
  if (!state) co_return fail(std::move(state.error()));
  co_return std::make_unique<S3Upload>(*context_, *std::move(state), std::nullopt);
}

Awaitable<Result<UploadInfo>> BucketStore::inspect(UploadId id, Deadline deadline) {
  if (auto known = context_->warm.look(id)) {
    if (context_->alone()) co_return std::move(known->info);
    // Whoever writes it puts its record first.
    auto changed = co_await context_->looker.record_changed(*known, deadline);
    if (changed && !*changed) co_return std::move(known->info);
  }
  auto state = co_await context_->looker.look(std::move(id), deadline);
  if (!state) co_return fail(std::move(state.error()));
  co_return std::move(state->file.info);
}

Awaitable<Result<std::unique_ptr<ReadStream>>> BucketStore::read(UploadId id, ByteRange range,
                                                                 Deadline deadline) {
  return open_content(*context_, std::move(id), range, deadline);
}

std::unique_ptr<UploadScan> BucketStore::scan(ScanOptions options) {
  return std::make_unique<Scan>(*context_, options);
}

Awaitable<Result<std::optional<std::uint64_t>>> BucketStore::remove_left_over(
    UploadId id, const Lease& lease, std::chrono::sys_seconds idle_since, Deadline deadline) {
  return s3::remove_left_over(*context_, std::move(id), lease, idle_since, deadline);
}

Awaitable<Result<std::vector<UploadId>>> BucketStore::pending_joins(Deadline deadline) {
  const auto prefix = context_->names.join_marks();
  std::vector<UploadId> ids;
  std::string after;
  while (true) {
    auto page =
        co_await context_->bucket.list_objects(context_->names.bucket(), prefix, after, deadline);
    if (!page) co_return fail(as_error(std::move(page.error())));
    for (auto& object : page->objects) {
      if (auto id = UploadId::parse(std::string_view(object.key).substr(prefix.size()))) {
        ids.push_back(*std::move(id));
      }
      after = std::move(object.key);
    }
    if (page->at_end || page->objects.empty()) co_return ids;
  }
}

Awaitable<Result<StoreUsage>> BucketStore::usage(Deadline deadline) {
  StoreUsage usage;
  Scan all(*context_, ScanOptions());
  for (bool at_end = false; !at_end;) {
    auto page = co_await all.next(deadline);
    if (!page) co_return fail(std::move(page.error()));
    at_end = page->at_end;
    for (const auto& info : page->uploads) {
      ++usage.uploads;
      usage.bytes += info.offset;
    }
  }
  co_return usage;
}

Awaitable<Status> BucketStore::health(Deadline deadline) {
  auto there = co_await context_->bucket.check(context_->names.bucket(), deadline);
  if (!there) co_return fail(ErrorCode::store_unavailable, std::move(there.error().detail));
  co_return Status();
}

Awaitable<Result<S3RepairReport>> BucketStore::repair(S3RepairOptions options) {
  Repair repair(*context_, std::move(options));
  co_return co_await repair.run();
}

// Go's tusd counts what lies in `.part`, so what does not count is removed before it can be asked.
Awaitable<void> BucketStore::close(Deadline deadline) {
  for (const auto& object : context_->take_stale_rests()) {
    auto gone = co_await context_->bucket.delete_object(context_->names.rest(object), deadline);
    if (gone) continue;
    context_->logger->log(LogLevel::warn, "PartObjectNotRemoved",
                          {{"object", object}, {"cause", gone.error().detail}});
  }
}

}  // namespace tus::s3
