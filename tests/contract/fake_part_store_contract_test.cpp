#include "tests/contract/limited_backend.h"

#include <tus/testing/fake_part_store.h>
#include <tus/testing/store_contract.h>

#include <utility>

namespace tus {
namespace {
using testing::FakeBucket;

class PartBackend final : public testing::StoreBackend {
 public:
  testing::StoreDeviations deviations() const override {
    testing::StoreDeviations deviations;
    deviations.reads_only_finished = true;  // S3 cannot read the parts of a multipart upload
    return deviations;
  }
  Store& store() override { return *store_; }
  void restart() override {
    bucket_->revive();
    dead_ = std::exchange(store_, testing::make_fake_part_store(bucket_));
  }
  void die_after(int steps) override { bucket_->die_after(steps); }
  void limit_space(std::uint64_t bytes) override { bucket_->limit(bytes); }
  std::string peek(const UploadId& id, std::uint64_t count) override {
    return bucket_->peek(id).substr(0, static_cast<std::size_t>(count));
  }
  std::uint64_t more_than_one_step() const override { return 100; }
  void fail_finishes(FinishFault fault) override {
    using Fault = FakeBucket::Fault;
    constexpr Fault faults[] = {Fault::none, Fault::fails, Fault::answer_lost, Fault::hangs};
    bucket_->fail_completes(faults[static_cast<int>(fault)]);
  }

 private:
  std::shared_ptr<FakeBucket> bucket_ = std::make_shared<FakeBucket>();
  std::shared_ptr<Store> dead_;
  std::shared_ptr<Store> store_ = testing::make_fake_part_store(bucket_);
};

const int registered =
    testing::add_store_contract("parts", [] { return std::make_unique<PartBackend>(); });
const int limited = testing::add_store_contract("limited_parts", [] {
  return std::make_unique<LimitedBackend>(std::make_unique<PartBackend>());
});

}  // namespace
}  // namespace tus
