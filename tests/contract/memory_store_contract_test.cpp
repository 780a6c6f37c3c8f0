#include <tus/memory_store.h>
#include <tus/testing/store_contract.h>

namespace tus {
namespace {

class MemoryBackend final : public testing::StoreBackend {
 public:
  testing::StoreDeviations deviations() const override {
    testing::StoreDeviations deviations;
    deviations.forgets_at_restart = true;  // that is what "memory" means
    deviations.has_no_size_limit = true;   // its limit is set once; see the unit test
    deviations.finish_cannot_fail = true;  // there is nothing to finish
    return deviations;
  }
  Store& store() override { return *store_; }

 private:
  std::shared_ptr<Store> store_ = make_memory_store();
};

const int registered =
    testing::add_store_contract("memory", [] { return std::make_unique<MemoryBackend>(); });

}  // namespace
}  // namespace tus
