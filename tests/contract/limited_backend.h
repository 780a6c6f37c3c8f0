// Any backend behind a limit that is never reached: nothing else may be different.
#pragma once

#include <tus/limited_store.h>
#include <tus/testing/store_contract.h>

#include <chrono>
#include <memory>
#include <utility>

namespace tus {

class LimitedBackend final : public testing::StoreBackend {
 public:
  explicit LimitedBackend(std::unique_ptr<testing::StoreBackend> inner) : inner_(std::move(inner)) {
    wrap();
  }

  testing::StoreDeviations deviations() const override { return inner_->deviations(); }
  Store& store() override { return *store_; }
  void restart() override {
    inner_->restart();
    wrap();
  }
  void die_after(int steps) override { inner_->die_after(steps); }
  std::string peek(const UploadId& id, std::uint64_t count) override {
    return inner_->peek(id, count);
  }
  void limit_space(std::uint64_t bytes) override {
    inner_->limit_space(bytes);
    wrap();
  }
  std::uint64_t more_than_one_step() const override { return inner_->more_than_one_step(); }
  int repeats(int usual) const override { return inner_->repeats(usual); }
  std::chrono::milliseconds time_of_a_finish() const override { return inner_->time_of_a_finish(); }
  void fail_finishes(FinishFault fault) override { inner_->fail_finishes(fault); }
  testing::FileWriter file_writer() override { return inner_->file_writer(); }

 private:
  void wrap() {
    LimitedStoreOptions options;
    options.max_bytes = 1ull << 50;
    // The backend owns the store behind it.
    std::shared_ptr<Store> behind(&inner_->store(), [](Store*) {});
    dead_ = std::exchange(
        store_, make_limited_store(std::move(behind), options, std::make_shared<SystemClock>(),
                                   std::make_shared<NoLogger>()));
  }

  std::unique_ptr<testing::StoreBackend> inner_;
  std::shared_ptr<Store> dead_;
  std::shared_ptr<Store> store_;
};

}  // namespace tus
