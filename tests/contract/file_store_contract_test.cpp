#include <tus/file_store.h>
#include <tus/runtime.h>
#include <tus/testing/store_contract.h>
#include <tus/testing/temporary_directory.h>

#include <stdexcept>

namespace tus {
namespace {

class FileBackend final : public testing::StoreBackend {
 public:
  explicit FileBackend(FsyncPolicy fsync) : fsync_(fsync) { restart(); }

  testing::StoreDeviations deviations() const override {
    testing::StoreDeviations deviations;
    deviations.has_no_size_limit = true;   // needs a full disk; see the unit and end-to-end tests
    deviations.finish_cannot_fail = true;  // needs a failing disk; see the unit tests
    deviations.ignores_old_tokens = true;  // a file system compares no tokens
    return deviations;
  }
  Store& store() override { return *store_; }
  void restart() override {
    FileStoreOptions options;
    options.directory = directory_.path() / "uploads";
    options.fsync = fsync_;
    auto made = make_file_store(options, pool_, std::make_shared<SystemClock>(),
                                std::make_shared<NoLogger>());
    if (!made) throw std::runtime_error(made.error().detail());
    store_ = *made;
  }

 private:
  FsyncPolicy fsync_;
  testing::TemporaryDirectory directory_;
  std::shared_ptr<BlockingPool> pool_ = make_blocking_pool(2);
  std::shared_ptr<Store> store_;
};

int add(const char* name, FsyncPolicy fsync) {
  return testing::add_store_contract(name,
                                     [fsync] { return std::make_unique<FileBackend>(fsync); });
}

const int off = add("file_off", FsyncPolicy::off);
const int finish = add("file_finish", FsyncPolicy::finish);
const int always = add("file_always", FsyncPolicy::always);

}  // namespace
}  // namespace tus
