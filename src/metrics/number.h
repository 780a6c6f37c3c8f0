// One number that counts, or goes up and down.
#pragma once

#include <atomic>
#include <cstdint>

namespace tus::metrics {

// Relaxed, because each is true for itself.
class Number {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  void subtract() noexcept { value_.fetch_sub(1, std::memory_order_relaxed); }
  double get() const noexcept {
    return static_cast<double>(value_.load(std::memory_order_relaxed));
  }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

}  // namespace tus::metrics
