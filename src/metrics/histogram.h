// A histogram that is filled from any thread without a lock.
#pragma once

#include <prometheus/client_metric.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace tus::metrics {

// Upper bounds of buckets, ascending, in the unit that is counted in (nanoseconds, bytes), and how many of those the
// unit that is shown has.
struct Scale {
  static constexpr std::size_t most = 14;

  consteval Scale(double shown_unit, std::initializer_list<double> upper) : unit(shown_unit) {
    for (const auto bound : upper)
      bounds.at(count++) = static_cast<std::uint64_t>(bound * shown_unit);
  }

  std::array<std::uint64_t, most> bounds{};
  std::size_t count = 0;
  double unit;
};

constexpr double in_seconds = 1e9;  // counted in nanoseconds
constexpr double in_bytes = 1;

class Histogram {
 public:
  // The scale outlives it.
  explicit Histogram(const Scale& scale) noexcept : scale_(scale) {}

  void observe(std::uint64_t value) noexcept;
  void observe(std::chrono::nanoseconds value) noexcept {
    observe(static_cast<std::uint64_t>(value.count() > 0 ? value.count() : 0));
  }

  // What is observed meanwhile may be in the sum already and in no bucket yet.
  prometheus::ClientMetric::Histogram collect() const;

 private:
  const Scale& scale_;
  std::array<std::atomic<std::uint64_t>, Scale::most + 1> counts_{};
  std::atomic<std::uint64_t> sum_ = 0;
};

}  // namespace tus::metrics
