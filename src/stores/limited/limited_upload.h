// An upload whose growth is counted.
#pragma once

#include "stores/limited/census.h"
#include "stores/limited/ledger.h"

#include <tus/store.h>

#include <memory>
#include <string>

namespace tus::limited_store {

// What the uploads of one store share; outlives them.
struct Shared {
  Shared(std::shared_ptr<Store> store, LimitedStoreOptions o, std::shared_ptr<Clock> c,
         std::shared_ptr<Logger> l)
      : inner(std::move(store)),
        options(o),
        clock(std::move(c)),
        logger(std::move(l)),
        ledger(o.max_bytes),
        census(*inner, ledger, options, *clock, *logger) {}

  // Counts again where that may find room.
  Awaitable<bool> looked_again(std::uint64_t wanted, Deadline deadline);
  Error no_room(std::uint64_t wanted) const;

  std::shared_ptr<Store> inner;
  const LimitedStoreOptions options;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<Logger> logger;
  Ledger ledger;
  Census census;
};

class LimitedUpload final : public Upload {
 public:
  LimitedUpload(std::shared_ptr<Shared> shared, std::unique_ptr<Upload> inner,
                Ledger::AccountPtr account) noexcept
      : shared_(std::move(shared)), inner_(std::move(inner)), account_(std::move(account)) {}
  ~LimitedUpload() override;

  const UploadInfo& info() const noexcept override { return inner_->info(); }
  Awaitable<AppendOutcome> append(const Lease& lease, BodySource& source, AppendRequest request,
                                  Deadline deadline) override;
  Awaitable<Status> commit_staged(const Lease& lease, Deadline deadline) override;
  Awaitable<Status> rollback_staged(const Lease& lease, Deadline deadline) override;
  Awaitable<Status> declare_length(const Lease& lease, std::uint64_t length,
                                   Deadline deadline) override;
  Awaitable<Status> terminate(const Lease& lease, Deadline deadline) override;

  // What changes nothing of what it takes.
  Awaitable<Status> set_finish_state(const Lease& lease, FinishState state,
                                     Deadline deadline) override {
    return inner_->set_finish_state(lease, state, deadline);
  }
  Awaitable<Status> finish(const Lease& lease, Deadline deadline) override {
    return inner_->finish(lease, deadline);
  }
  Awaitable<Status> finish_and_record(const Lease& lease, Deadline deadline) override {
    return inner_->finish_and_record(lease, deadline);
  }
  void set_digest(UploadDigest digest) override { inner_->set_digest(std::move(digest)); }
  Awaitable<Status> save_digest(const Lease& lease, Deadline deadline) override {
    return inner_->save_digest(lease, deadline);
  }
  Awaitable<Result<Joined>> concatenate(const Lease& lease, Deadline deadline) override {
    return inner_->concatenate(lease, deadline);
  }

 private:
  Awaitable<AppendOutcome> append_counted(const Lease& lease, BodySource& source,
                                          AppendRequest request, Deadline deadline);
  Awaitable<std::optional<Error>> find_room(const BodySource& source, Deadline deadline);
  void settle(std::uint64_t before, std::uint64_t given, std::uint64_t after) noexcept;

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Upload> inner_;
  Ledger::AccountPtr account_;
  // Of an upload without a length: bytes behind its offset that await commit_staged(), and are counted.
  std::uint64_t staged_ = 0;
  bool is_unsure_ = false;  // whether they count by now
};

}  // namespace tus::limited_store
