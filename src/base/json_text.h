// Strings as JSON and as base64. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tus::base {

bool is_utf8(std::string_view text) noexcept;

// Appends `text` as a JSON string. What is not UTF-8 becomes U+FFFD, one for each byte, as Go does it.
void append_json_string(std::string& out, std::string_view text);

// Appends arbitrary bytes as a JSON string of the characters U+0000 to U+00FF: ASCII looks as it is, and
// every byte survives.
void append_json_bytes(std::string& out, std::string_view bytes);

// The way back from append_json_bytes, after JSON was parsed. Nothing when it is not such a string.
std::optional<std::string> bytes_of_text(std::string_view utf8);

// RFC 4648 section 4.
void append_base64(std::string& out, std::string_view bytes);

}  // namespace tus::base
