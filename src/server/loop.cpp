#include "server/loop.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace tus::server {

namespace {

// How late a time-out may be noticed. Most deadlines are replaced long before they pass, so the timer
// is left as it is unless a deadline comes that is sooner by more than this.
constexpr std::chrono::milliseconds tolerance{100};

}  // namespace

Loop::Loop(asio::any_io_executor executor)
    : executor_(std::move(executor)),
      timer_(executor_),
      receive_buffer_(std::make_unique_for_overwrite<std::byte[]>(receive_bytes)) {}

void Loop::add(LoopMember& member) { members_.push_back(member); }

void Loop::remove(LoopMember& member) noexcept {
  end_waiting(member);
  using Hook = boost::intrusive::list_base_hook<>;
  if (static_cast<Hook&>(member).is_linked()) members_.erase(members_.iterator_to(member));
}

void Loop::begin_waiting(LoopMember& member, Deadline::Point now) noexcept {
  member.waiting_since_ = now;
  waiting_.push_back(member);
  note_longest_waiting();
}

void Loop::end_waiting(LoopMember& member) noexcept {
  if (!static_cast<WaitingHook&>(member).is_linked()) return;
  waiting_.erase(waiting_.iterator_to(member));
  note_longest_waiting();
}

void Loop::note_longest_waiting() noexcept {
  const auto since = waiting_.empty() ? Deadline::Point::max() : waiting_.front().waiting_since_;
  waiting_since_.store(since.time_since_epoch().count(), std::memory_order_relaxed);
}

bool Loop::send_oldest_away() {
  if (waiting_.empty()) return false;
  auto& oldest = waiting_.front();
  end_waiting(oldest);
  oldest.go_away();
  return true;
}

void Loop::expect_deadline(Deadline deadline) {
  if (deadline.is_never()) return;
  next_check_ = std::min(next_check_, deadline.when());
  if (armed_for_ == Deadline::Point::max() || next_check_ < armed_for_ - tolerance) arm();
}

void Loop::arm() {
  armed_for_ = std::max(next_check_, std::chrono::steady_clock::now() + tolerance);
  timer_.expires_at(armed_for_);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code ec) {
    if (ec != asio::error::operation_aborted) self->check_deadlines();
  });
}

void Loop::check_deadlines() {
  const auto now = std::chrono::steady_clock::now();
  armed_for_ = next_check_ = Deadline::Point::max();
  // Members that go on waiting say again until when.
  for (auto& member : members_) member.check_deadline(now);
}

void Loop::soft_stop() {
  if (stopping_) return;
  stopping_ = true;
  for (auto& member : members_) {
    if (member.soft_stop()) ++unanswered_;
  }
  if (unanswered_ == 0) quiet_.set();
}

void Loop::request_answered() noexcept {
  if (unanswered_ > 0 && --unanswered_ == 0) quiet_.set();
}

void Loop::hard_stop() {
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
