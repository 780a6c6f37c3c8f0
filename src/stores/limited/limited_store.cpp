#include "stores/limited/limited_upload.h"

#include <tus/limited_store.h>

#include <algorithm>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace {

using limited_store::Ledger;
using limited_store::LimitedUpload;
using limited_store::Shared;

// Room for an upload that is being made. Gives it back unless the upload is there in the end.
class Creation {
 public:
  Creation(Ledger& ledger, Ledger::AccountPtr account) noexcept
      : ledger_(ledger), account_(std::move(account)) {}
  ~Creation() {
    if (account_) ledger_.not_created(account_, how_);
  }
  Creation(const Creation&) = delete;
  Creation& operator=(const Creation&) = delete;

  void failed(const Error& error) noexcept {
    if (error == ErrorCode::upload_exists) how_ = Ledger::Failed::id_is_taken;
  }
  Ledger::AccountPtr succeeded() {
    ledger_.created(account_);
    return std::exchange(account_, nullptr);
  }

 private:
  Ledger& ledger_;
  Ledger::AccountPtr account_;
  Ledger::Failed how_ = Ledger::Failed::nothing_is_there;
};

class LimitedStore final : public Store {
 public:
  explicit LimitedStore(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)), inner_(*shared_->inner) {}

  StoreCapabilities capabilities() const noexcept override { return inner_.capabilities(); }

  Awaitable<Status> prepare(Deadline deadline) override {
    auto counted = co_await shared_->census.count_once(deadline);
    if (!counted) co_return counted;
    co_return co_await inner_.prepare(deadline);
  }

  Awaitable<Result<UploadDraft>> place(UploadDraft draft, Deadline deadline) override {
    return inner_.place(std::move(draft), deadline);
  }
  Awaitable<void> give_up_place(UploadDraft draft, Deadline deadline) override {
    return inner_.give_up_place(std::move(draft), deadline);
  }
  Awaitable<Result<std::unique_ptr<Upload>>> create(UploadDraft draft, const Lease& lease,
                                                    std::span<const std::byte> first,
                                                    Deadline deadline) override {
    const std::uint64_t wanted = std::max<std::uint64_t>(draft.length.value_or(0), first.size());
    auto account = co_await reserve(draft.id, wanted, deadline);
    if (!account) co_return fail(std::move(account.error()));
    Creation creation(shared_->ledger, std::move(*account));
    auto made = co_await inner_.create(std::move(draft), lease, first, deadline);
    if (!made) {
      creation.failed(made.error());
      co_return made;
    }
    co_return std::make_unique<LimitedUpload>(shared_, std::move(*made), creation.succeeded());
  }

  Awaitable<Result<std::unique_ptr<Upload>>> open(UploadId id, const Lease& lease,
                                                  Deadline deadline) override {
    auto opened = co_await inner_.open(std::move(id), lease, deadline);
    if (!opened) co_return opened;
    co_return wrap(std::move(*opened));
  }

  Awaitable<Result<OpenedUpload>> open_and_append(UploadId id, const Lease& lease,
                                                  BodySource& source, AppendCheck check,
                                                  Deadline deadline) override {
    std::optional<AppendRequest> later;
    AppendCheck inner_check = [&](const UploadInfo& info) {
      auto request = check(info);
      // Without a length its growth is counted, which is done by the upload that counts.
      if (request && !info.length) later = std::exchange(request, std::nullopt);
      return request;
    };
    auto opened = co_await inner_.open_and_append(std::move(id), lease, source,
                                                  std::move(inner_check), deadline);
    if (!opened) co_return opened;
    opened->upload = wrap(std::move(opened->upload));
    if (later) {
      opened->appended = co_await opened->upload->append(lease, source, *later, Deadline::never());
    }
    co_return opened;
  }

  Awaitable<Result<UploadInfo>> inspect(UploadId id, Deadline deadline) override {
    return inner_.inspect(std::move(id), deadline);
  }
  Awaitable<Result<std::unique_ptr<ReadStream>>> read(UploadId id, ByteRange range,
                                                      Deadline deadline) override {
    return inner_.read(std::move(id), range, deadline);
  }
  std::unique_ptr<UploadScan> scan(ScanOptions options) override { return inner_.scan(options); }
  Awaitable<Result<std::optional<std::uint64_t>>> remove_left_over(
      UploadId id, const Lease& lease, std::chrono::sys_seconds idle_since,
      Deadline deadline) override {
    return inner_.remove_left_over(std::move(id), lease, idle_since, deadline);
  }
  Awaitable<Result<std::vector<UploadId>>> pending_joins(Deadline deadline) override {
    return inner_.pending_joins(deadline);
  }
  Awaitable<Status> health(Deadline deadline) override { return inner_.health(deadline); }
  Awaitable<void> close(Deadline deadline) override { return inner_.close(deadline); }

  Awaitable<Result<StoreUsage>> usage(Deadline deadline) override {
    if (!shared_->census.has_counted()) {
      auto counted = co_await shared_->census.count_once(deadline);
      if (!counted) co_return fail(std::move(counted.error()));
    }
    auto usage = co_await inner_.usage(deadline);
    if (!usage) co_return usage;
    usage->limit = shared_->ledger.limit();
    usage->taken = shared_->ledger.used();
    co_return usage;
  }

 private:
  std::unique_ptr<LimitedUpload> wrap(std::unique_ptr<Upload> inner) {
    auto account = shared_->ledger.opened(inner->info());
    return std::make_unique<LimitedUpload>(shared_, std::move(inner), std::move(account));
  }

  Awaitable<Result<Ledger::AccountPtr>> reserve(UploadId id, std::uint64_t wanted,
                                                Deadline deadline) {
    if (!shared_->census.has_counted()) {
      auto counted = co_await shared_->census.count_once(deadline);
      if (!counted) co_return fail(std::move(counted.error()));
    }
    auto account = shared_->ledger.reserve(id, wanted);
    if (!account && co_await shared_->looked_again(wanted, deadline)) {
      account = shared_->ledger.reserve(id, wanted);
    }
    if (!account) co_return fail(shared_->no_room(wanted));
    co_return account;
  }

  std::shared_ptr<Shared> shared_;
  Store& inner_;
};

}  // namespace

std::shared_ptr<Store> make_limited_store(std::shared_ptr<Store> inner, LimitedStoreOptions options,
                                          std::shared_ptr<Clock> clock,
                                          std::shared_ptr<Logger> logger) {
  return std::make_shared<LimitedStore>(
      std::make_shared<Shared>(std::move(inner), options, std::move(clock), std::move(logger)));
}

TUS_NAMESPACE_END
