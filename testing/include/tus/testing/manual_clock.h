// Time that stands still until the test moves it.
#pragma once

#include <tus/clock.h>

#include <atomic>
#include <chrono>

TUS_NAMESPACE_BEGIN

namespace testing {

class ManualClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const noexcept override {
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(passed_));
  }
  std::chrono::system_clock::time_point wall() const noexcept override {
    auto passed = std::chrono::duration_cast<std::chrono::system_clock::duration>(
        std::chrono::nanoseconds(passed_));
    return std::chrono::sys_days(std::chrono::year(2026) / 1 / 1) + passed;
  }

  void advance(std::chrono::nanoseconds by) noexcept { passed_ += by.count(); }

 private:
  // Not from 0, so that "an hour ago" is a point in time too.
  std::atomic<std::int64_t> passed_{std::chrono::nanoseconds(std::chrono::hours(24)).count()};
};

}  // namespace testing

TUS_NAMESPACE_END
