#include "protocol/http_date.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>

namespace tus::protocol {

namespace {

using std::chrono::sys_seconds;

constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Moment {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

// Takes a date apart from the left; once something is missing, everything is.
class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : left_(text) {}

  bool literal(std::string_view expected) noexcept {
    ok_ = ok_ && left_.starts_with(expected);
    if (ok_) left_.remove_prefix(expected.size());
    return ok_;
  }
  int number(std::size_t digits) noexcept {
    int value = 0;
    ok_ = ok_ && left_.size() >= digits &&
          std::ranges::all_of(left_.substr(0, digits), base::is_digit);
    for (std::size_t i = 0; ok_ && i < digits; ++i) value = value * 10 + (left_[i] - '0');
    if (ok_) left_.remove_prefix(digits);
    return value;
  }
  // A number of two digits, or a space and one digit.
  int padded_number() noexcept {
    if (!left_.starts_with(' ')) return number(2);
    left_.remove_prefix(1);
    return number(1);
  }
  unsigned month() noexcept {
    const auto* found = std::ranges::find(months, left_.substr(0, 3));
    ok_ = ok_ && found != months.end();
    if (!ok_) return 0;
    left_.remove_prefix(3);
    return static_cast<unsigned>(found - months.begin()) + 1;
  }
  void time(Moment& moment) noexcept {
    moment.hour = number(2);
    literal(":");
    moment.minute = number(2);
    literal(":");
    moment.second = number(2);
  }
  bool done() const noexcept { return ok_ && left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

std::optional<sys_seconds> moment_in_time(const Moment& m) {
  const std::chrono::year_month_day date{std::chrono::year(m.year), std::chrono::month(m.month),
                                         std::chrono::day(m.day)};
  // A leap second counts as the one after it.
  if (!date.ok() || m.hour > 23 || m.minute > 59 || m.second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(m.hour) + std::chrono::minutes(m.minute) +
         std::chrono::seconds(m.second);
}

std::optional<sys_seconds> parse_imf(std::string_view text) {
  Reader reader(text);
  Moment m;
  m.day = static_cast<unsigned>(reader.number(2));
  reader.literal(" ");
  m.month = reader.month();
  reader.literal(" ");
  m.year = reader.number(4);
  reader.literal(" ");
  reader.time(m);
  reader.literal(" GMT");
  return reader.done() ? moment_in_time(m) : std::nullopt;
}

std::optional<sys_seconds> parse_rfc850(std::string_view text) {
  Reader reader(text);
  Moment m;
  m.day = static_cast<unsigned>(reader.number(2));
  reader.literal("-");
  m.month = reader.month();
  reader.literal("-");
  const int year = reader.number(2);
  // No server is older than this protocol: 70 to 99 are of the last century.
  m.year = year < 70 ? 2000 + year : 1900 + year;
  reader.literal(" ");
  reader.time(m);
  reader.literal(" GMT");
  return reader.done() ? moment_in_time(m) : std::nullopt;
}

std::optional<sys_seconds> parse_asctime(std::string_view text) {
  Reader reader(text);
  Moment m;
  m.month = reader.month();
  reader.literal(" ");
  m.day = static_cast<unsigned>(reader.padded_number());
  reader.literal(" ");
  reader.time(m);
  reader.literal(" ");
  m.year = reader.number(4);
  return reader.done() ? moment_in_time(m) : std::nullopt;
}

}  // namespace

std::string format_http_date(sys_seconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const auto weekday = std::chrono::weekday(day).c_encoding();
  std::array<char, 64> text{};
  std::snprintf(
      text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT", days.at(weekday),
      static_cast<unsigned>(date.day()), months.at(static_cast<unsigned>(date.month()) - 1).data(),
      static_cast<int>(date.year()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return text.data();
}

std::optional<sys_seconds> parse_http_date(std::string_view text) {
  const auto comma = text.find(", ");
  if (comma == 3) return parse_imf(text.substr(comma + 2));
  if (comma != std::string_view::npos) return parse_rfc850(text.substr(comma + 2));
  if (text.size() > 4 && text[3] == ' ') return parse_asctime(text.substr(4));
  return std::nullopt;
}

}  // namespace tus::protocol
