#include "metrics/histogram.h"

namespace tus::metrics {

void Histogram::observe(std::uint64_t value) noexcept {
  std::size_t bucket = 0;
  while (bucket < scale_.count && value > scale_.bounds[bucket]) ++bucket;
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

prometheus::ClientMetric::Histogram Histogram::collect() const {
  prometheus::ClientMetric::Histogram result;
  result.sample_sum = static_cast<double>(sum_.load(std::memory_order_relaxed)) / scale_.unit;
  for (std::size_t i = 0; i < scale_.count; ++i) {
    result.sample_count += counts_[i].load(std::memory_order_relaxed);
    result.bucket.push_back(
        {result.sample_count, static_cast<double>(scale_.bounds[i]) / scale_.unit});
  }
  result.sample_count += counts_[scale_.count].load(std::memory_order_relaxed);
  return result;
}

}  // namespace tus::metrics
