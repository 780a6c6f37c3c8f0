// A store over a bucket in memory, in small numbers: parts of 5 bytes or as a test wants it.
#pragma once

#include "async/event.h"
#include "stores/s3/bucket_store.h"
#include "stores/s3/client/memory_bucket_test_kit.h"

#include <tus/testing/coro_test.h>
#include <tus/testing/fake_lease.h>
#include <tus/testing/script_source.h>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tus::s3::test {

using testing::BodyScript;
using testing::FakeLease;
using testing::run;
using testing::ScriptSource;
using testing::TestLoop;

inline const Deadline never = Deadline::never();

inline UploadId id_of(std::string_view text) { return UploadId::parse(text).value(); }

// Every part of it is different.
inline std::string pattern(std::size_t size, unsigned seed = 1) {
  std::string text(size, '\0');
  unsigned value = seed * 2'654'435'761u;
  for (auto& c : text) {
    value = value * 1'664'525u + 1'013'904'223u;
    c = static_cast<char>('a' + (value >> 24) % 26);
  }
  return text;
}

// What the store tells of itself.
class S3Record final : public S3Metrics {
 public:
  struct Told {
    std::vector<MemoryOutcome> waits;
    std::vector<SpillReason> spills;
    std::uint64_t spilled = 0;
  };
  Told told() const {
    std::lock_guard lock(mutex_);
    return told_;
  }

  void called(const S3Call&) noexcept override {}
  void memory_waited(MemoryOutcome outcome, std::chrono::nanoseconds) noexcept override {
    std::lock_guard lock(mutex_);
    told_.waits.push_back(outcome);
  }
  void spilled(SpillReason why, std::uint64_t bytes) noexcept override {
    std::lock_guard lock(mutex_);
    told_.spills.push_back(why);
    told_.spilled += bytes;
  }

 private:
  mutable std::mutex mutex_;
  Told told_;
};

class Bench {
 public:
  explicit Bench(StoreOptions options = small_options(), Quirks quirks = small_quirks())
      : options_(std::move(options)), bucket_(make_bucket(quirks)) {
    restart();
  }

  static StoreOptions small_options() {
    StoreOptions options;
    options.parts.smallest = options.parts.preferred = 5;
    options.parts.largest = 50'000;
    options.chunk = 3;
    return options;
  }
  static Quirks small_quirks() {
    Quirks quirks;
    quirks.smallest_part = 5;
    return quirks;
  }

  // As if the process had been killed. The old store stays for calls that are in the middle.
  void restart() {
    bucket_->faults().revive();
    dead_ = std::exchange(store_, make_store());
  }
  // Another server on the same bucket.
  std::unique_ptr<BucketStore> make_store() {
    auto options = options_;
    options.bucket = "uploads";
    return std::make_unique<BucketStore>(std::make_unique<Context>(
        bucket_, std::move(options), clock_, std::make_shared<NoLogger>(), metrics_));
  }

  BucketStore& store() { return *store_; }
  MemoryBucket& bucket() { return *bucket_; }
  BucketFaults& faults() { return bucket_->faults(); }
  S3Record::Told told() const { return metrics_->told(); }

  // As the service makes an upload that has to be finished.
  Result<std::unique_ptr<Upload>> create(std::string_view id, std::optional<std::uint64_t> length,
                                         std::string_view first = {}) {
    UploadDraft draft;
    draft.id = id_of(id);
    draft.length = length;
    draft.finish = FinishState::pending;
    auto placed = run(store_->place(std::move(draft), never));
    if (!placed) return fail(std::move(placed.error()));
    return run(
        store_->create(*std::move(placed), FakeLease(), std::as_bytes(std::span(first)), never));
  }
  Result<std::unique_ptr<Upload>> open(const UploadId& id) {
    return run(store_->open(id, FakeLease(), never));
  }
  static AppendOutcome append(Upload& upload, BodyScript script) {
    ScriptSource source(std::move(script));
    return run(upload.append(FakeLease(), source, AppendRequest(upload.info().offset), never));
  }
  static AppendOutcome append(Upload& upload, std::string bytes) {
    return append(upload, BodyScript::whole(std::move(bytes)));
  }
  Result<UploadInfo> inspect(const UploadId& id) { return run(store_->inspect(id, never)); }

 private:
  std::shared_ptr<MemoryBucket> make_bucket(Quirks quirks) {
    MemoryBucketOptions options;
    options.quirks = quirks;
    return std::make_shared<MemoryBucket>(*clock_, std::move(options));
  }

  StoreOptions options_;
  std::shared_ptr<S3Record> metrics_ = std::make_shared<S3Record>();
  std::shared_ptr<Clock> clock_ = std::make_shared<SystemClock>();
  std::shared_ptr<MemoryBucket> bucket_;
  std::unique_ptr<BucketStore> dead_;
  std::unique_ptr<BucketStore> store_;
};

// Lets the body go on when the bucket has so much of the upload.
inline Awaitable<void> wait_for_offset(Bench& bench, UploadId id, std::uint64_t offset,
                                       ScriptSource& source) {
  const auto late = Deadline::after(std::chrono::steady_clock::now(), std::chrono::seconds(20));
  while (!late.passed(std::chrono::steady_clock::now())) {
    auto info = co_await bench.store().inspect(id, never);
    if (info && info->offset == offset) co_return source.release();
    co_await sleep_until(
        Deadline::after(std::chrono::steady_clock::now(), std::chrono::milliseconds(1)));
  }
  ADD_FAILURE() << id.str() << " does not get there as long as others are silent";
  source.release();
}

}  // namespace tus::s3::test
