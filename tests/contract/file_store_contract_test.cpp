#include "stores/file/file_store.h"
#include "tests/contract/failing_machine.h"
#include "tests/contract/limited_backend.h"

#include <tus/runtime.h>
#include <tus/testing/store_contract.h>
#include <tus/testing/temporary_directory.h>

#include <stdexcept>
#include <utility>

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
    deviations.ignores_old_tokens = true;  // a file system compares no tokens
    return deviations;
  }
  Store& store() override { return *store_; }
  void restart() override {
    if (machine_) machine_->die_after(0);
    machine_ = std::make_shared<FailingMachine>();
    file_store::Machine machine;
    machine.calls = machine_;
    auto context =
        file_store::make_context(options_, std::move(machine), pool_,
                                 std::make_shared<SystemClock>(), std::make_shared<NoLogger>());
    if (!context) throw std::runtime_error(context.error().detail());
    dead_ = std::exchange(store_, std::make_unique<file_store::FileStore>(*std::move(context)));
  }
  void die_after(int steps) override { machine_->die_after(steps); }
  void limit_space(std::uint64_t bytes) override {
    machine_->limit_space(options_.directory, bytes);
  }
  // Whether a sync that fails has been done makes no difference without a power cut, and a system call
  // cannot be left waiting.
  void fail_finishes(FinishFault fault) override {
    using Syncs = FailingMachine::Syncs;
    machine_->make_syncs(fault == FinishFault::none ? Syncs::work : Syncs::fail);
  }
  testing::FileWriter file_writer() override {
    return [machine = machine_](int fd, std::span<const std::byte> bytes, std::uint64_t at) {
      return machine->pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    };
  }

 private:
  testing::TemporaryDirectory directory_;
  FileStoreOptions options_;
  std::shared_ptr<BlockingPool> pool_ = make_blocking_pool(2);
  std::shared_ptr<FailingMachine> machine_;
  std::unique_ptr<Store> dead_;
  std::unique_ptr<Store> store_;
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
const int limited = testing::add_store_contract("limited_file", [] {
  return std::make_unique<LimitedBackend>(std::make_unique<FileBackend>(with(FsyncPolicy::finish)));
});

}  // namespace
}  // namespace tus
