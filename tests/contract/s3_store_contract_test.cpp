#include "stores/s3/bucket_store.h"
#include "stores/s3/client/memory_bucket_test_kit.h"
#include "stores/s3/context.h"
#include "tests/contract/limited_backend.h"

#include <tus/testing/coro_test.h>
#include <tus/testing/store_contract.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

namespace tus {
namespace {

using s3::Instances;
using s3::test::Fault;
using s3::test::MemoryBucket;
using s3::test::Operation;

struct Kind {
  Instances instances = Instances::several;
  s3::test::Quirks quirks;
};

s3::test::MemoryBucketOptions bucket_options(s3::test::Quirks quirks) {
  s3::test::MemoryBucketOptions options;
  options.quirks = quirks;
  options.quirks.smallest_part = 5;
  return options;
}

class S3Backend final : public testing::StoreBackend {
 public:
  explicit S3Backend(Kind kind) : kind_(kind) { restart(); }

  testing::StoreDeviations deviations() const override {
    testing::StoreDeviations deviations;
    deviations.reads_only_finished = true;  // S3 cannot read the parts of a multipart upload
    // Tokens of lockers that begin anew with each process cannot be compared; the record's etag can.
    deviations.ignores_old_tokens = true;
    // Parts that were checked are copied one by one, and one object must not lie in two places at once.
    deviations.commits_in_pieces = true;
    return deviations;
  }
  Store& store() override { return *store_; }
  void restart() override {
    bucket_->faults().revive();
    dead_ = std::exchange(store_, make());
  }
  void die_after(int steps) override { bucket_->faults().die_after(steps); }
  void limit_space(std::uint64_t bytes) override { bucket_->limit(bytes); }

  std::string peek(const UploadId& id, std::uint64_t count) override {
    auto bytes = bucket_->peek("data/" + id.str());
    if (!bytes) bytes = peek_parts(id.str(), count);
    return bytes->substr(0, static_cast<std::size_t>(count));
  }
  std::uint64_t more_than_one_step() const override { return 100; }

  void fail_finishes(FinishFault fault) override {
    bucket_->faults().clear_faults();
    if (fault == FinishFault::none) return;
    constexpr Fault faults[] = {Fault::none, Fault::fails, Fault::answer_lost, Fault::hangs};
    bucket_->faults().fail_all(Operation::complete_multipart, faults[static_cast<int>(fault)]);
  }

 private:
  std::shared_ptr<Store> make() {
    s3::StoreOptions options;
    options.bucket = "uploads";
    options.object_prefix = "data";
    options.parts.smallest = options.parts.preferred = 5;
    options.parts.largest = 50'000;
    options.parts.most = 300;
    options.chunk = 3;
    options.parts_in_flight = 3;
    options.parts_of_an_upload = 4;
    options.instances = kind_.instances;
    return std::make_shared<s3::BucketStore>(std::make_unique<s3::Context>(
        bucket_, std::move(options), clock_, std::make_shared<NoLogger>()));
  }

  // The parts as far as none is missing, and what lies in .part behind them.
  std::string peek_parts(const std::string& object, std::uint64_t count) {
    std::string bytes;
    const auto all = bucket_->part_bytes("data/" + object);
    std::uint32_t next = 1;
    for (const auto& part : bucket_->parts("data/" + object)) {
      if (part.number != next++ || part.size == 0) break;
      bytes = all.substr(0, bytes.size() + static_cast<std::size_t>(part.size));
    }
    const auto key = "data/" + object + ".part";
    const auto rest = bucket_->peek(key);
    if (!rest || bytes.size() >= count) return bytes;
    const auto headers = bucket_->peek_headers(key);
    for (const auto& [name, value] : headers->metadata) {
      if (name != s3::rest_start_name) continue;
      const auto start = static_cast<std::size_t>(std::stoull(value));
      if (start > bytes.size()) return bytes;
      if (start + rest->size() > bytes.size()) bytes = bytes.substr(0, start) + *rest;
    }
    return bytes;
  }

  const Kind kind_;
  std::shared_ptr<Clock> clock_ = std::make_shared<SystemClock>();
  std::shared_ptr<MemoryBucket> bucket_ =
      std::make_shared<MemoryBucket>(*clock_, bucket_options(kind_.quirks));
  std::shared_ptr<Store> dead_;
  std::shared_ptr<Store> store_;
};

Kind kind(Instances instances) {
  Kind kind;
  kind.instances = instances;
  return kind;
}

Kind like_swift() {
  Kind kind;
  kind.quirks.no_conditions = true;
  kind.quirks.page_size = 7;
  return kind;
}

Kind like_ceph() {
  Kind kind;
  kind.quirks.any_order = kind.quirks.complete_again = kind.quirks.absent_is_changed = true;
  return kind;
}

int add(const char* name, Kind what) {
  return testing::add_store_contract(name, [what] { return std::make_unique<S3Backend>(what); });
}

const int registered[] = {
    add("s3", kind(Instances::several)), add("s3_alone", kind(Instances::one)),
    add("s3_like_ceph", like_ceph()), add("s3_like_swift", like_swift()),
    testing::add_store_contract("limited_s3", [] {
      return std::make_unique<LimitedBackend>(std::make_unique<S3Backend>(Kind()));
    })};

}  // namespace
}  // namespace tus
