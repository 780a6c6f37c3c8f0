// A limited store over memory, whose clock and failures are the test's.
#pragma once

#include <tus/limited_store.h>
#include <tus/memory_store.h>
#include <tus/testing/coro_test.h>
#include <tus/testing/fake_lease.h>
#include <tus/testing/manual_clock.h>
#include <tus/testing/script_source.h>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace tus::limited_store::test {

using testing::BodyScript;
using testing::FakeLease;
using testing::run;
using testing::ScriptSource;

inline const Deadline never = Deadline::never();

inline UploadId id_of(const std::string& text) { return *UploadId::parse(text); }

inline UploadDraft draft_of(const std::string& id, std::optional<std::uint64_t> length) {
  UploadDraft draft;
  draft.id = id_of(id);
  draft.length = length;
  return draft;
}

// The memory store, of which a test decides what fails, and sees how often it is scanned.
class ToldStore final : public Store {
 public:
  std::shared_ptr<Store> inner = make_memory_store();
  std::atomic<int> scans = 0;
  std::function<std::optional<Error>()> at_page = [] { return std::nullopt; };
  std::optional<Error> creation_fails;
  BodySource* appended_from = nullptr;  // the source that the last append was given

  StoreCapabilities capabilities() const noexcept override { return inner->capabilities(); }
  Awaitable<Result<std::unique_ptr<Upload>>> create(UploadDraft draft, const Lease& lease,
                                                    std::span<const std::byte> first,
                                                    Deadline deadline) override {
    if (creation_fails) co_return fail(*creation_fails);
    co_return co_await inner->create(std::move(draft), lease, first, deadline);
  }
  Awaitable<Result<std::unique_ptr<Upload>>> open(UploadId id, const Lease& lease,
                                                  Deadline deadline) override {
    return inner->open(std::move(id), lease, deadline);
  }
  Awaitable<Result<OpenedUpload>> open_and_append(UploadId id, const Lease& lease,
                                                  BodySource& source, AppendCheck check,
                                                  Deadline deadline) override {
    appended_from = &source;
    return inner->open_and_append(std::move(id), lease, source, std::move(check), deadline);
  }
  Awaitable<Result<UploadInfo>> inspect(UploadId id, Deadline deadline) override {
    return inner->inspect(std::move(id), deadline);
  }
  Awaitable<Result<std::unique_ptr<ReadStream>>> read(UploadId id, ByteRange range,
                                                      Deadline deadline) override {
    return inner->read(std::move(id), range, deadline);
  }
  std::unique_ptr<UploadScan> scan(ScanOptions options) override;
  Awaitable<Result<std::vector<UploadId>>> pending_joins(Deadline deadline) override {
    return inner->pending_joins(deadline);
  }
  Awaitable<Result<StoreUsage>> usage(Deadline deadline) override { return inner->usage(deadline); }
  Awaitable<Status> health(Deadline deadline) override { return inner->health(deadline); }
  Awaitable<void> close(Deadline deadline) override { return inner->close(deadline); }
};

class ToldScan final : public UploadScan {
 public:
  ToldScan(ToldStore& store, std::unique_ptr<UploadScan> inner)
      : store_(store), inner_(std::move(inner)) {}
  Awaitable<Result<ScanPage>> next(Deadline deadline) override {
    auto page = co_await inner_->next(deadline);
    if (auto error = store_.at_page()) co_return fail(*std::move(error));
    co_return page;
  }

 private:
  ToldStore& store_;
  std::unique_ptr<UploadScan> inner_;
};

inline std::unique_ptr<UploadScan> ToldStore::scan(ScanOptions options) {
  ++scans;
  return std::make_unique<ToldScan>(*this, inner->scan(options));
}

class House {
 public:
  explicit House(std::uint64_t limit) { options.max_bytes = limit; }

  Store& store() {
    if (!store_) restart();
    return *store_;
  }
  void restart() {
    store_ = make_limited_store(behind, options, clock, std::make_shared<NoLogger>());
  }

  Result<std::unique_ptr<Upload>> create(UploadDraft draft, const std::string& first = {},
                                         Deadline deadline = never) {
    const auto bytes = std::as_bytes(std::span(first));
    return run(store().create(std::move(draft), FakeLease(), bytes, deadline));
  }
  Result<std::unique_ptr<Upload>> create(const std::string& id,
                                         std::optional<std::uint64_t> length) {
    return create(draft_of(id, length));
  }
  std::unique_ptr<Upload> open(const std::string& id) {
    auto opened = run(store().open(id_of(id), FakeLease(), never));
    EXPECT_TRUE(opened) << id;
    return opened ? std::move(*opened) : nullptr;
  }
  void terminate(const std::string& id) {
    EXPECT_TRUE(run(open(id)->terminate(FakeLease(), never)));
  }
  // As another program does it.
  void take_away(const std::string& id) {
    auto opened = run(behind->inner->open(id_of(id), FakeLease(), never));
    ASSERT_TRUE(opened);
    EXPECT_TRUE(run((*opened)->terminate(FakeLease(), never)));
  }
  std::uint64_t taken() {
    auto usage = run(store().usage(never));
    EXPECT_TRUE(usage);
    EXPECT_EQ(usage->limit, options.max_bytes);
    return usage->taken;
  }

  LimitedStoreOptions options;
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  std::shared_ptr<ToldStore> behind = std::make_shared<ToldStore>();

 private:
  std::shared_ptr<Store> store_;
};

inline AppendOutcome append(Upload& upload, BodyScript script,
                            AppendRequest::Mode mode = AppendRequest::Mode::plain) {
  ScriptSource source(std::move(script));
  AppendRequest request(upload.info().offset);
  request.mode = mode;
  return run(upload.append(FakeLease(), source, request, never));
}

inline void expect_no_space(const Status& status) {
  ASSERT_FALSE(status);
  EXPECT_TRUE(status.error() == ErrorCode::no_space) << status.error().detail();
}
template <class T>
void expect_no_space(const Result<T>& result) {
  expect_no_space(result ? Status() : Status(fail(result.error())));
}
inline void expect_no_space(const AppendOutcome& outcome) {
  expect_no_space(outcome.error ? Status(fail(*outcome.error)) : Status());
  EXPECT_EQ(outcome.body, BodyState::open) << "the store has given up";
}

}  // namespace tus::limited_store::test
