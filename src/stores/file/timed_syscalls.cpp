#include "stores/file/timed_syscalls.h"

#include <cerrno>
#include <chrono>
#include <utility>

namespace tus::file_store {

namespace {

class TimedSyscalls final : public Syscalls {
 public:
  explicit TimedSyscalls(std::shared_ptr<MetricsSink> metrics) : metrics_(std::move(metrics)) {}

  int fdatasync(int fd) override {
    const auto begun = std::chrono::steady_clock::now();
    return tell(SyncTarget::data, begun, Syscalls::fdatasync(fd));
  }
  int fsync(int fd) override {
    const auto begun = std::chrono::steady_clock::now();
    return tell(SyncTarget::directory, begun, Syscalls::fsync(fd));
  }

 private:
  int tell(SyncTarget target, std::chrono::steady_clock::time_point begun, int result) noexcept {
    const auto code = errno;
    const auto outcome = result == 0 ? SyncOutcome::safe : SyncOutcome::failed;
    metrics_->synced(target, outcome, std::chrono::steady_clock::now() - begun);
    errno = code;
    return result;
  }

  std::shared_ptr<MetricsSink> metrics_;
};

}  // namespace

std::shared_ptr<Syscalls> make_timed_syscalls(std::shared_ptr<MetricsSink> metrics) {
  return std::make_shared<TimedSyscalls>(std::move(metrics));
}

}  // namespace tus::file_store
