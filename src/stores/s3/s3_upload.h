// An upload in a bucket, opened under a lease.
#pragma once

#include "stores/s3/append_run.h"
#include "stores/s3/joining.h"
#include "stores/s3/work.h"

#include <tus/store.h>

#include <memory>
#include <optional>

namespace tus::s3 {

class S3Upload final : public Upload {
 public:
  S3Upload(Context& context, State state, std::optional<ByteRun> tail)
      : context_(context), work_(context, std::move(state), std::move(tail)) {}

  const UploadInfo& info() const noexcept override { return work_.info(); }
  Work& work() noexcept { return work_; }

  Awaitable<AppendOutcome> append(const Lease& lease, BodySource& source, AppendRequest request,
                                  Deadline deadline) override;
  Awaitable<Status> commit_staged(const Lease& lease, Deadline deadline) override;
  Awaitable<Status> rollback_staged(const Lease& lease, Deadline deadline) override;
  Awaitable<Status> declare_length(const Lease& lease, std::uint64_t length,
                                   Deadline deadline) override;
  Awaitable<Status> set_finish_state(const Lease& lease, FinishState state,
                                     Deadline deadline) override;
  Awaitable<Status> finish(const Lease& lease, Deadline deadline) override;
  void set_digest(UploadDigest digest) override;
  Awaitable<Status> save_digest(const Lease& lease, Deadline deadline) override;
  Awaitable<Status> terminate(const Lease& lease, Deadline deadline) override;
  Awaitable<Result<Joined>> concatenate(const Lease& lease, Deadline deadline) override;

 private:
  Awaitable<void> give_up_staged();
  Awaitable<Status> copy_aside(const Lease& lease, AppendRun::Aside& aside, Deadline deadline);
  Awaitable<Status> keep_tail(const Lease& lease, ByteRun tail, Deadline deadline);

  Context& context_;
  Work work_;
  std::optional<AppendRun::Aside> staged_;
  std::unique_ptr<Joining> joining_;
};

}  // namespace tus::s3
