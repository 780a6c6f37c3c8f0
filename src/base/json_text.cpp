#include "base/json_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tus::base {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

unsigned char byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

bool continues(std::string_view text, std::size_t i) {
  return i < text.size() && (byte_at(text, i) & 0xC0) == 0x80;
}

// Bytes of the well-formed UTF-8 character at `i`, which is not ASCII; 0 when there is none (RFC 3629).
std::size_t utf8_length(std::string_view text, std::size_t i) {
  auto lead = byte_at(text, i);
  if (lead >= 0xC2 && lead <= 0xDF) return continues(text, i + 1) ? 2 : 0;
  if (!continues(text, i + 1) || !continues(text, i + 2)) return 0;
  auto second = byte_at(text, i + 1);
  if (lead >= 0xE0 && lead <= 0xEF) {
    bool overlong = lead == 0xE0 && second < 0xA0;
    bool surrogate = lead == 0xED && second > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead < 0xF0 || lead > 0xF4 || !continues(text, i + 3)) return 0;
  bool overlong = lead == 0xF0 && second < 0x90;
  bool too_large = lead == 0xF4 && second > 0x8F;
  return overlong || too_large ? 0 : 4;
}

void append_json_ascii(std::string& out, char c) {
  if (c == '"' || c == '\\') {
    out.push_back('\\');
    out.push_back(c);
  } else if (static_cast<unsigned char>(c) >= 0x20) {
    out.push_back(c);
  } else {
    auto value = static_cast<unsigned char>(c);
    out.append("\\u00");
    out.push_back(hex_digits[value >> 4]);
    out.push_back(hex_digits[value & 0xF]);
  }
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    auto length = byte_at(text, i) < 0x80 ? 1 : utf8_length(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (std::size_t i = 0; i < text.size();) {
    if (byte_at(text, i) < 0x80) {
      append_json_ascii(out, text[i++]);
      continue;
    }
    auto length = utf8_length(text, i);
    out.append(length > 0 ? text.substr(i, length) : std::string_view("\xEF\xBF\xBD"));
    i += length > 0 ? length : 1;
  }
  out.push_back('"');
}

void append_json_bytes(std::string& out, std::string_view bytes) {
  out.push_back('"');
  for (char c : bytes) {
    auto value = static_cast<unsigned char>(c);
    if (value < 0x80) {
      append_json_ascii(out, c);
    } else {
      out.push_back(static_cast<char>(0xC0 | value >> 6));
      out.push_back(static_cast<char>(0x80 | (value & 0x3F)));
    }
  }
  out.push_back('"');
}

std::optional<std::string> bytes_of_text(std::string_view utf8) {
  std::string bytes;
  bytes.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    auto value = byte_at(utf8, i);
    if (value < 0x80) {
      bytes.push_back(utf8[i]);
    } else if ((value == 0xC2 || value == 0xC3) && continues(utf8, i + 1)) {
      bytes.push_back(static_cast<char>((value & 0x03) << 6 | (byte_at(utf8, ++i) & 0x3F)));
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

void append_base64(std::string& out, std::string_view bytes) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    auto here = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (j < here ? byte_at(bytes, i + j) : 0u);
    for (std::size_t j = 0; j < 4; ++j) {
      out.push_back(j <= here ? alphabet[group >> (18 - 6 * j) & 0x3F] : '=');
    }
  }
}

}  // namespace tus::base
