#include "tests/contract/limited_backend.h"

#include <tus/memory_store.h>
#include <tus/testing/store_contract.h>

#include <utility>

namespace tus {
namespace {

class MemoryBackend final : public testing::StoreBackend {
 public:
  testing::StoreDeviations deviations() const override {
    testing::StoreDeviations deviations;
    deviations.forgets_at_restart = true;  // that is what "memory" means
    return deviations;
  }
  Store& store() override { return *store_; }
  void restart() override { dead_ = std::exchange(store_, make_memory_store(options_)); }
  void limit_space(std::uint64_t bytes) override {
    options_.max_bytes = bytes;
    store_ = make_memory_store(options_);
  }

 private:
  MemoryStoreOptions options_;
  std::shared_ptr<Store> store_ = make_memory_store();
  std::shared_ptr<Store> dead_;
};

const int registered =
    testing::add_store_contract("memory", [] { return std::make_unique<MemoryBackend>(); });
const int limited = testing::add_store_contract("limited_memory", [] {
  return std::make_unique<LimitedBackend>(std::make_unique<MemoryBackend>());
});

}  // namespace
}  // namespace tus
