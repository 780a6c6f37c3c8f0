// The store: makes and opens uploads. Changes are in s3_upload.
#pragma once

#include "stores/s3/context.h"

#include <tus/s3_store.h>
#include <tus/store.h>

#include <memory>
#include <optional>
#include <vector>

namespace tus::s3 {

class BucketStore final : public Store {
 public:
  explicit BucketStore(std::unique_ptr<Context> context) : context_(std::move(context)) {}

  S3Figures figures() const noexcept { return context_->figures(); }

  StoreCapabilities capabilities() const noexcept override;
  Awaitable<Result<UploadDraft>> place(UploadDraft draft, Deadline deadline) override;
  Awaitable<void> give_up_place(UploadDraft draft, Deadline deadline) override;
  Awaitable<Result<std::unique_ptr<Upload>>> create(UploadDraft draft, const Lease& lease,
                                                    std::span<const std::byte> first,
                                                    Deadline deadline) override;
  Awaitable<Result<std::unique_ptr<Upload>>> open(UploadId id, const Lease& lease,
                                                  Deadline deadline) override;
  Awaitable<Result<UploadInfo>> inspect(UploadId id, Deadline deadline) override;
  Awaitable<Result<std::unique_ptr<ReadStream>>> read(UploadId id, ByteRange range,
                                                      Deadline deadline) override;
  std::unique_ptr<UploadScan> scan(ScanOptions options) override;
  Awaitable<Result<std::optional<std::uint64_t>>> remove_left_over(
      UploadId id, const Lease& lease, std::chrono::sys_seconds idle_since,
      Deadline deadline) override;
  Awaitable<Result<std::vector<UploadId>>> pending_joins(Deadline deadline) override;
  Awaitable<Result<StoreUsage>> usage(Deadline deadline) override;
  Awaitable<Status> health(Deadline deadline) override;
  Awaitable<void> close(Deadline deadline) override;
  Awaitable<Result<S3RepairReport>> repair(S3RepairOptions options);

 private:
  std::unique_ptr<Context> context_;
};

}  // namespace tus::s3
