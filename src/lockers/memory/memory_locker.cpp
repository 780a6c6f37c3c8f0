#include "lockers/common/lease_table.h"

#include <tus/memory_locker.h>

#include <utility>

TUS_NAMESPACE_BEGIN

namespace {

class MemoryLease final : public Lease {
 public:
  explicit MemoryLease(lockers::Hold hold) noexcept : hold_(std::move(hold)) {}

  std::uint64_t token() const noexcept override { return hold_.token(); }
  bool lost() const noexcept override { return false; }

 private:
  lockers::Hold hold_;
};

class MemoryLocker final : public Locker {
 public:
  Awaitable<Result<std::unique_ptr<Lease>>> acquire(UploadId id, Deadline deadline,
                                                    std::shared_ptr<LeaseHolder> holder) override {
    auto hold = co_await lockers::hold(table_, std::move(id), deadline, std::move(holder));
    if (!hold) co_return fail(std::move(hold.error()));
    co_return std::make_unique<MemoryLease>(*std::move(hold));
  }

  Awaitable<Result<bool>> is_held(UploadId id) override { co_return table_->is_held(id); }

 private:
  std::shared_ptr<lockers::LeaseTable> table_ = std::make_shared<lockers::LeaseTable>();
};

}  // namespace

std::shared_ptr<Locker> make_memory_locker() { return std::make_shared<MemoryLocker>(); }

TUS_NAMESPACE_END
