#include "server/loop.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace tus::server {

namespace {

// How late a time-out may be noticed; what it saves is a timer armed and disarmed with every read.
constexpr std::chrono::milliseconds tick_interval{100};

}  // namespace

Loop::Loop(asio::any_io_executor executor)
    : executor_(std::move(executor)),
      timer_(executor_),
      receive_buffer_(std::make_unique_for_overwrite<std::byte[]>(receive_bytes)) {}

void Loop::add(LoopMember& member) { members_.push_back(member); }

void Loop::remove(LoopMember& member) noexcept {
  if (member.is_linked()) members_.erase(members_.iterator_to(member));
}

void Loop::expect_deadline(Deadline deadline) noexcept {
  if (deadline.is_never()) return;
  next_check_ = std::min(next_check_, deadline.when());
  if (!ticking_) start_tick();
}

void Loop::start_tick() {
  ticking_ = true;
  timer_.expires_after(tick_interval);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code) { self->tick(); });
}

void Loop::tick() {
  ticking_ = false;
  const auto now = std::chrono::steady_clock::now();
  if (now >= next_check_) {
    // Members that still wait say again until when.
    next_check_ = Deadline::Point::max();
    for (auto& member : members_) member.check_deadline(now);
  }
  const bool anybody_waits = !members_.empty() && next_check_ != Deadline::Point::max();
  if (anybody_waits && !ticking_) start_tick();
}

void Loop::soft_stop() {
  stopping_ = true;
  for (auto& member : members_) member.soft_stop();
}

void Loop::hard_stop() {
  stopping_ = true;
  for (auto& member : members_) member.hard_stop();
}

std::string_view Loop::date() {
  const std::time_t now = std::time(nullptr);
  if (now == date_second_ && !date_.empty()) return date_;
  static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                days.at(static_cast<std::size_t>(utc.tm_wday)), utc.tm_mday,
                months.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900, utc.tm_hour,
                utc.tm_min, utc.tm_sec);
  date_ = text;
  date_second_ = now;
  return date_;
}

}  // namespace tus::server
