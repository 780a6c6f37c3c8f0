// The file locker with its machine chosen by a test.
#pragma once

#include "lockers/common/lease_table.h"
#include "lockers/file/lock_files.h"
#include "lockers/file/watcher.h"

#include <tus/file_locker.h>

#include <atomic>
#include <memory>
#include <thread>

namespace tus::file_locker {

// What leases and the locker share: it ends with the last of them.
class Shared {
 public:
  Shared(std::shared_ptr<LockCalls> calls, std::unique_ptr<LockFiles> lock_files,
         FileLockerOptions o, std::weak_ptr<BlockingPool> p, std::shared_ptr<Logger> l);
  ~Shared();
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  const FileLockerOptions options;
  // Not the owner of a pool whose jobs own leases.
  const std::weak_ptr<BlockingPool> pool;
  const std::shared_ptr<Logger> logger;
  const std::shared_ptr<LockCalls> calls;
  const std::unique_ptr<LockFiles> files;
  const std::shared_ptr<lockers::LeaseTable> table = std::make_shared<lockers::LeaseTable>();
  Watcher watcher;

  const std::atomic<bool>& stopping() const noexcept { return stopping_; }

 private:
  std::atomic<bool> stopping_{false};
  std::thread left_overs_;
};

class FileLocker final : public Locker {
 public:
  FileLocker(std::shared_ptr<Shared> shared, std::shared_ptr<BlockingPool> pool)
      : shared_(std::move(shared)), pool_(std::move(pool)) {}

  Awaitable<Result<std::unique_ptr<Lease>>> acquire(UploadId id, Deadline deadline,
                                                    std::shared_ptr<LeaseHolder> holder) override;
  Awaitable<Result<bool>> is_held(UploadId id) override;
  Awaitable<Result<std::uint64_t>> remove_stale(std::chrono::sys_seconds since) override;

  Shared& shared() noexcept { return *shared_; }

 private:
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<BlockingPool> pool_;
};

Result<std::shared_ptr<FileLocker>> make(FileLockerOptions options,
                                         std::shared_ptr<LockCalls> calls,
                                         std::shared_ptr<BlockingPool> pool,
                                         std::shared_ptr<Logger> logger);

}  // namespace tus::file_locker
