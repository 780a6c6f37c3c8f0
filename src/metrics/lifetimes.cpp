#include "metrics/lifetimes.h"

#include <functional>

namespace tus::metrics {

namespace {

constexpr std::uint64_t time_bits = 40;
constexpr std::uint64_t time_mask = (1ull << time_bits) - 1;
constexpr std::chrono::nanoseconds tick = std::chrono::microseconds(10);

constexpr std::uint64_t tag_of(std::uint64_t entry) noexcept { return entry & ~time_mask; }

}  // namespace

// Zeros are written, so that the memory is there from the beginning and does not come with uploads.
Lifetimes::Lifetimes(Point now) : start_(now), rows_(std::make_unique<std::array<Row, rows>>()) {
  for (auto& row : *rows_) {
    for (auto& entry : row) entry.store(0, std::memory_order_relaxed);
  }
}

Lifetimes::Key Lifetimes::key_of(std::string_view id) noexcept {
  const std::uint64_t hash = std::hash<std::string_view>{}(id);
  const auto tag = tag_of(hash);
  return {(*rows_)[hash % rows], tag != 0 ? tag : 1ull << time_bits};
}

Lifetimes::Entry Lifetimes::ticks(Point now) const noexcept {
  return static_cast<std::uint64_t>((now - start_) / tick) & time_mask;
}

void Lifetimes::begin(std::string_view id, Point now) noexcept {
  const auto [row, tag] = key_of(id);
  const auto time = ticks(now);
  auto* oldest = row.data();
  Entry its_value = 0;
  Entry its_age = 0;
  for (auto& entry : row) {
    const auto value = entry.load(std::memory_order_relaxed);
    const auto age = value == 0 ? ~Entry{0} : (time - value) & time_mask;
    if (age < its_age) continue;
    oldest = &entry;
    its_value = value;
    its_age = age;
  }
  // Should somebody else take the place now, this upload is not measured.
  oldest->compare_exchange_strong(its_value, tag | time, std::memory_order_relaxed);
}

std::optional<std::chrono::nanoseconds> Lifetimes::end(std::string_view id, Point now) noexcept {
  const auto [row, tag] = key_of(id);
  for (auto& entry : row) {
    auto value = entry.load(std::memory_order_relaxed);
    if (tag_of(value) != tag) continue;
    if (!entry.compare_exchange_strong(value, 0, std::memory_order_relaxed)) return std::nullopt;
    return tick * static_cast<std::int64_t>((ticks(now) - value) & time_mask);
  }
  return std::nullopt;
}

}  // namespace tus::metrics
