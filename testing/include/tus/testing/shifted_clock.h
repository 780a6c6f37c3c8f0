// The time of the machine, with a date that a test moves on.
#pragma once

#include <tus/clock.h>

#include <atomic>
#include <chrono>

TUS_NAMESPACE_BEGIN

namespace testing {

class ShiftedClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const noexcept override {
    return std::chrono::steady_clock::now();
  }
  std::chrono::system_clock::time_point wall() const noexcept override {
    return std::chrono::system_clock::now() + std::chrono::seconds(shift_);
  }

  void advance(std::chrono::seconds by) noexcept { shift_ += by.count(); }

 private:
  std::atomic<std::int64_t> shift_{0};
};

}  // namespace testing

TUS_NAMESPACE_END
