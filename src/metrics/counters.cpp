#include "metrics/counters.h"

#include <algorithm>
#include <memory>
#include <new>

namespace tus::metrics {

std::size_t index_of_method(std::string_view method) noexcept {
  const auto found = std::ranges::find(methods, method);
  return found == methods.end() ? tusd_methods : static_cast<std::size_t>(found - methods.begin());
}

RequestDurations::~RequestDurations() {
  for (auto& row : table_) {
    for (auto& place : row) delete place.load(std::memory_order_relaxed);
  }
}

void RequestDurations::observe(const RequestFigures& figures) noexcept {
  const auto status = static_cast<std::size_t>(figures.status - first_status);
  if (figures.status < first_status || status >= statuses) return;
  auto* histogram = at(table_[index_of_method(figures.method)][status]);
  if (histogram != nullptr) histogram->observe(figures.duration);
}

// Nothing without memory: a response matters more than its figures.
Histogram* RequestDurations::at(Place& place) noexcept {
  auto* found = place.load(std::memory_order_acquire);
  if (found != nullptr) return found;
  std::unique_ptr<Histogram> made(new (std::nothrow) Histogram(Counters::request_scale));
  if (!made) return nullptr;
  if (place.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel))
    return made.release();
  return found;  // somebody else was quicker
}

}  // namespace tus::metrics
