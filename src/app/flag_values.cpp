#include "app/flag_values.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace tus::app {

std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<bool> parse_go_bool(std::string_view text) {
  for (std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

namespace {

// Takes one "1.5h" off the front and returns it in milliseconds.
std::optional<double> take_step(std::string_view& text) {
  static constexpr std::array<std::pair<std::string_view, double>, 7> units{{{"ns", 1e-6},
                                                                             {"us", 1e-3},
                                                                             {"\xc2\xb5s", 1e-3},
                                                                             {"ms", 1.0},
                                                                             {"s", 1e3},
                                                                             {"m", 60e3},
                                                                             {"h", 3600e3}}};
  if (text.empty() || ((text[0] < '0' || text[0] > '9') && text[0] != '.')) return std::nullopt;
  double number = 0;
  const auto [stop, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  for (const auto& [name, factor] : units) {
    // "ms" stands before "m" in the list, so the longer unit wins.
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return number * factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_go_duration(std::string_view text) {
  if (text == "0") return std::chrono::milliseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto step = take_step(text);
    if (!step) return std::nullopt;
    total += *step;
  }
  constexpr double longest = 9.2e12;  // what Go's int64 nanoseconds can hold
  if (!std::isfinite(total) || total > longest) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(total)));
}

}  // namespace tus::app
