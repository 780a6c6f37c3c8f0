#include "stores/s3/client/text.h"

#include "base/ascii.h"

#include <algorithm>
#include <charconv>

namespace tus::s3 {

namespace {

constexpr std::string_view upper_digits = "0123456789ABCDEF";
constexpr std::string_view lower_digits = "0123456789abcdef";

void append_encoded(std::string& out, std::string_view text, std::string_view kept) {
  for (const char c : text) {
    if (base::is_alpha(c) || base::is_digit(c) || kept.contains(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += upper_digits[byte >> 4];
      out += upper_digits[byte & 15];
    }
  }
}

std::optional<int> digit_of(char c) noexcept {
  const auto at = lower_digits.find(base::to_lower(c));
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<int>(at);
}

template <class T>
bool parse_digits(std::string_view text, T& out) noexcept {
  if (text.empty() || !base::is_digit(text.front())) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string encode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  append_encoded(out, text, "-._~");
  return out;
}

std::string encode_path(std::string_view key) {
  std::string out;
  out.reserve(key.size());
  append_encoded(out, key, "-._~/");
  return out;
}

std::string encode_query(const Query& query) {
  Query encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) encoded.emplace_back(encode(name), encode(value));
  std::ranges::sort(encoded);
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out += '&';
    out += name;
    out += '=';
    out += value;
  }
  return out;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const auto high = digit_of(text[i + 1]);
      const auto low = digit_of(text[i + 2]);
      if (!high || !low) return std::nullopt;
      out += static_cast<char>(*high * 16 + *low);
      i += 2;
    }
  }
  return out;
}

std::string hex(std::span<const unsigned char> bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const auto byte : bytes) {
    out += lower_digits[byte >> 4];
    out += lower_digits[byte & 15];
  }
  return out;
}

bool is_printable_ascii(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

std::optional<std::uint64_t> parse_number(std::string_view text) noexcept {
  std::uint64_t number = 0;
  if (!parse_digits(text, number)) return std::nullopt;
  return number;
}

std::optional<std::chrono::sys_seconds> parse_time(std::string_view text) noexcept {
  using namespace std::chrono;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':' || !text.ends_with('Z'))
    return std::nullopt;
  const auto fraction = text.substr(19, text.size() - 20);
  std::uint64_t ignored = 0;
  if (!fraction.empty() && (fraction.front() != '.' || !parse_digits(fraction.substr(1), ignored)))
    return std::nullopt;
  int y = 0;
  unsigned mon = 0;
  unsigned d = 0;
  unsigned h = 0;
  unsigned min = 0;
  unsigned s = 0;
  if (!parse_digits(text.substr(0, 4), y) || !parse_digits(text.substr(5, 2), mon) ||
      !parse_digits(text.substr(8, 2), d) || !parse_digits(text.substr(11, 2), h) ||
      !parse_digits(text.substr(14, 2), min) || !parse_digits(text.substr(17, 2), s))
    return std::nullopt;
  const year_month_day date{year(y), month(mon), day(d)};
  if (!date.ok() || h > 23 || min > 59 || s > 60) return std::nullopt;
  return sys_days(date) + hours(h) + minutes(min) + seconds(s);
}

}  // namespace tus::s3
