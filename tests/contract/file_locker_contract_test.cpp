#include <tus/file_locker.h>
#include <tus/testing/inline_pool.h>
#include <tus/testing/locker_contract.h>
#include <tus/testing/temporary_directory.h>

#include <stdexcept>

namespace {

// Its directory goes with it, and nothing may be left in there.
class Beside final : public tus::Locker {
 public:
  Beside() {
    tus::FileLockerOptions options;
    options.directory = directory_.path();
    auto made = tus::make_file_locker(options, std::make_shared<tus::testing::InlinePool>(),
                                      std::make_shared<tus::NoLogger>());
    if (!made) throw std::runtime_error(made.error().detail());
    locker_ = *made;
  }

  tus::Awaitable<tus::Result<std::unique_ptr<tus::Lease>>> acquire(
      tus::UploadId id, tus::Deadline deadline, std::shared_ptr<tus::LeaseHolder> holder) override {
    return locker_->acquire(std::move(id), deadline, std::move(holder));
  }
  tus::Awaitable<tus::Result<bool>> is_held(tus::UploadId id) override {
    return locker_->is_held(std::move(id));
  }

 private:
  tus::testing::TemporaryDirectory directory_;
  std::shared_ptr<tus::Locker> locker_;
};

const int registered =
    tus::testing::add_locker_contract("file", [] { return std::make_shared<Beside>(); });

}  // namespace
