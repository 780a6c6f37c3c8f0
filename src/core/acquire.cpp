#include "core/acquire.h"

#include <utility>

namespace tus::core {

namespace {

LockOutcome outcome_of(const Result<std::unique_ptr<Lease>>& lease) noexcept {
  if (lease) return LockOutcome::granted;
  if (lease.error() == ErrorCode::upload_locked) return LockOutcome::refused;
  if (lease.error() == ErrorCode::lock_timeout) return LockOutcome::timed_out;
  return LockOutcome::failed;
}

}  // namespace

Awaitable<Result<std::unique_ptr<Lease>>> acquire(const HandlerParts& parts, UploadId id,
                                                  Deadline deadline,
                                                  std::shared_ptr<LeaseHolder> holder) {
  const auto begun = parts.clock->now();
  auto lease = co_await parts.locker->acquire(std::move(id), deadline, std::move(holder));
  parts.metrics->lock_waited(outcome_of(lease), parts.clock->now() - begun);
  co_return lease;
}

}  // namespace tus::core
