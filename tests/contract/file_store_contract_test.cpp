#include <tus/file_store.h>
#include <tus/runtime.h>
#include <tus/testing/store_contract.h>
#include <tus/testing/temporary_directory.h>

#include <stdexcept>

namespace tus {
namespace {

class FileBackend final : public testing::StoreBackend {
 public:
  explicit FileBackend(FileStoreOptions options) : options_(std::move(options)) {
    options_.directory = directory_.path() / "uploads";
    restart();
  }

  testing::StoreDeviations deviations() const override {
    testing::StoreDeviations deviations;
    deviations.has_no_size_limit = true;   // needs a full disk; see the unit and end-to-end tests
    deviations.finish_cannot_fail = true;  // needs a failing disk; see the unit tests
    deviations.ignores_old_tokens = true;  // a file system compares no tokens
    return deviations;
  }
  Store& store() override { return *store_; }
  void restart() override {
    auto made = make_file_store(options_, pool_, std::make_shared<SystemClock>(),
                                std::make_shared<NoLogger>());
    if (!made) throw std::runtime_error(made.error().detail());
    store_ = *made;
  }

 private:
  testing::TemporaryDirectory directory_;
  FileStoreOptions options_;
  std::shared_ptr<BlockingPool> pool_ = make_blocking_pool(2);
  std::shared_ptr<Store> store_;
};

int add(const char* name, FileStoreOptions options) {
  return testing::add_store_contract(name,
                                     [options] { return std::make_unique<FileBackend>(options); });
}

FileStoreOptions with(FsyncPolicy fsync) {
  FileStoreOptions options;
  options.fsync = fsync;
  return options;
}

// The background work meets every other call.
FileStoreOptions restless() {
  auto options = with(FsyncPolicy::finish);
  options.durable_interval = std::chrono::milliseconds(1);
  options.durable_bytes = 1;
  return options;
}

const int off = add("file_off", with(FsyncPolicy::off));
const int finish = add("file_finish", with(FsyncPolicy::finish));
const int always = add("file_always", with(FsyncPolicy::always));
const int busy = add("file_restless", restless());

}  // namespace
}  // namespace tus
