#include "metrics/s3_counters.h"

#include <algorithm>
#include <memory>
#include <new>

namespace tus::metrics {

namespace {

std::size_t index_of_operation(std::string_view name) noexcept {
  const auto found = std::ranges::find(s3_operations, name);
  return std::min(static_cast<std::size_t>(found - s3_operations.begin()),
                  s3_operations.size() - 1);
}

// Nothing without memory: a call matters more than its figures.
S3Durations* durations_at(std::atomic<S3Durations*>& place) noexcept {
  auto* found = place.load(std::memory_order_acquire);
  if (found != nullptr) return found;
  std::unique_ptr<S3Durations> made;
  try {
    made = std::make_unique<S3Durations>();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  if (place.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel))
    return made.release();
  return found;  // somebody else was quicker
}

}  // namespace

void S3Durations::observe(std::chrono::nanoseconds duration) noexcept {
  histogram_.observe(duration);
  try {
    summary_.Observe(std::chrono::duration<double, std::milli>(duration).count());
  } catch (const std::bad_alloc&) {
    return;
  }
}

S3Counters::~S3Counters() {
  for (auto& operation : operations) delete operation.durations.load(std::memory_order_relaxed);
}

void S3Counters::called(const S3Call& figures) noexcept {
  auto& operation = operations[index_of_operation(figures.operation)];
  auto* durations = durations_at(operation.durations);
  if (durations != nullptr) durations->observe(figures.duration);
  if (figures.failure) operation.failures[static_cast<std::size_t>(*figures.failure)].add();
  if (figures.attempts > 1) operation.retries.add(static_cast<std::uint64_t>(figures.attempts - 1));
  operation.bytes_sent.add(figures.bytes_sent);
}

}  // namespace tus::metrics
