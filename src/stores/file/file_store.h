// The file store with its machine chosen by a test.
#pragma once

#include "stores/file/context.h"

#include <tus/file_store.h>
#include <tus/store.h>

namespace tus::file_store {

class FileStore final : public Store {
 public:
  explicit FileStore(std::unique_ptr<Context> context) : context_(std::move(context)) {}

  StoreCapabilities capabilities() const noexcept override;
  Awaitable<Result<std::unique_ptr<Upload>>> create(UploadDraft draft, const Lease& lease,
                                                    std::span<const std::byte> first,
                                                    Deadline deadline) override;
  Awaitable<Result<std::unique_ptr<Upload>>> open(UploadId id, const Lease& lease,
                                                  Deadline deadline) override;
  Awaitable<Result<OpenedUpload>> open_and_append(UploadId id, const Lease& lease,
                                                  BodySource& source, AppendCheck check,
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

  Context& context() noexcept { return *context_; }

 private:
  std::unique_ptr<Context> context_;
};

}  // namespace tus::file_store
