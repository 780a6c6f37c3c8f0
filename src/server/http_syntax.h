// The smallest pieces of HTTP/1.1 syntax (RFC 9110 section 5, RFC 9112 section 5), checked strictly.
#pragma once

#include <expected>
#include <string_view>

namespace tus::server {

bool is_token_char(char c) noexcept;
bool is_token(std::string_view text) noexcept;
// Visible characters, bytes above 0x7f, space and tab: no NUL, no CR, no other control character.
bool is_field_value(std::string_view text) noexcept;
// Visible ASCII only.
bool is_visible(std::string_view text) noexcept;

// `lower` is in lower case.
bool equals_lower(std::string_view text, std::string_view lower) noexcept;

std::string_view trim_blanks(std::string_view text) noexcept;

struct FieldLine {
  std::string_view name;
  std::string_view value;  // without blanks around it
};

// One line of a header or trailer section, without its CRLF. The error is a sentence for the client.
std::expected<FieldLine, std::string_view> split_field_line(std::string_view line) noexcept;

}  // namespace tus::server
