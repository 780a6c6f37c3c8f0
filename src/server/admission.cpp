#include "server/admission.h"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace tus::server {

namespace {

// Connections that may be here beyond the limit while others close. Where the limit is small, so are the descriptors.
constexpr std::uint64_t headroom(std::uint64_t limit) noexcept {
  return std::min<std::uint64_t>(64, limit / 8 + 1);
}

}  // namespace

Admission::Place::~Place() {
  if (of_ == nullptr) return;
  of_->counts_.fetch_sub(leaving_ ? one_open + one_leaving : one_open, std::memory_order_relaxed);
}

void Admission::Place::leave() noexcept {
  if (of_ == nullptr || std::exchange(leaving_, true)) return;
  of_->counts_.fetch_add(one_leaving, std::memory_order_relaxed);
}

void Admission::Place::stay() noexcept {
  if (!std::exchange(leaving_, false)) return;
  of_->counts_.fetch_sub(one_leaving, std::memory_order_relaxed);
}

Admission::Admission(std::shared_ptr<const LiveSettings> settings)
    : settings_(std::move(settings)) {}

bool Admission::has_more_than(std::uint64_t connections) const noexcept {
  const auto counts = counts_.load(std::memory_order_relaxed);
  return counts / one_open - counts % one_open > connections;
}

Admission::Verdict Admission::judge() {
  const auto limit = settings_->max_connections.load(std::memory_order_relaxed);
  if (limit == 0 || !has_more_than(limit - 1)) return Verdict::welcome;
  if (!make_room()) return Verdict::full;
  return open() >= limit + headroom(limit) ? Verdict::crowded : Verdict::welcome;
}

Admission::Place Admission::take_place() noexcept {
  counts_.fetch_add(one_open, std::memory_order_relaxed);
  return Place(*this);
}

bool Admission::make_room() {
  const auto oldest = std::ranges::min_element(
      loops_, {}, [](const std::shared_ptr<Loop>& loop) { return loop->longest_waiting_since(); });
  if (oldest == loops_.end() || (*oldest)->longest_waiting_since() == Deadline::Point::max()) {
    return false;
  }
  asio::post((*oldest)->executor(), [self = shared_from_this(), loop = *oldest] {
    const auto limit = self->settings_->max_connections.load(std::memory_order_relaxed);
    // One for whoever this is done for; then others, where the limit has become smaller, each of the loop that has the
    // oldest.
    loop->send_oldest_away();
    if (limit != 0 && self->has_more_than(limit)) self->make_room();
  });
  return true;
}

}  // namespace tus::server
