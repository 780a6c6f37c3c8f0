#include "server/http_syntax.h"

#include <algorithm>
#include <array>

namespace tus::server {

namespace {

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (unsigned char c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (unsigned char c = '0'; c <= '9'; ++c) table[c] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}

constexpr auto token_table = make_token_table();

char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

bool is_token_char(char c) noexcept { return token_table[static_cast<unsigned char>(c)]; }

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

bool is_field_value(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

bool is_visible(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

bool equals_lower(std::string_view text, std::string_view lower) noexcept {
  return std::ranges::equal(text, lower, {}, to_lower);
}

std::string_view trim_blanks(std::string_view text) noexcept {
  auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::expected<FieldLine, std::string_view> split_field_line(std::string_view line) noexcept {
  if (line.starts_with(' ') || line.starts_with('\t')) {
    return std::unexpected("header line begins with a blank");
  }
  auto colon = line.find(':');
  if (colon == std::string_view::npos) return std::unexpected("header line without a colon");
  FieldLine field{line.substr(0, colon), trim_blanks(line.substr(colon + 1))};
  if (!is_token(field.name)) return std::unexpected("invalid header name");
  if (!is_field_value(field.value)) return std::unexpected("invalid character in a header value");
  return field;
}

}  // namespace tus::server
