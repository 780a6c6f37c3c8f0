// Time as the library sees it; tests move it by hand.
#pragma once

#include <tus/export.h>

#include <chrono>

TUS_NAMESPACE_BEGIN

// All calls may come from any thread.
class TUS_EXPORT Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::steady_clock::time_point now() const noexcept = 0;
  virtual std::chrono::system_clock::time_point wall() const noexcept = 0;
};

class TUS_EXPORT SystemClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const noexcept override {
    return std::chrono::steady_clock::now();
  }
  std::chrono::system_clock::time_point wall() const noexcept override {
    return std::chrono::system_clock::now();
  }
};

TUS_NAMESPACE_END
