#include "app/log_line.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <optional>

namespace tus::app {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "DEBUG";
    case LogLevel::info:
      return "INFO";
    case LogLevel::warn:
      return "WARN";
    case LogLevel::error:
      break;
  }
  return "ERROR";
}

// A table, because every character of every line is looked up.
constexpr auto plain_characters = [] {
  std::array<bool, 256> plain{};
  for (unsigned char c = '!'; c < 127; ++c) plain[c] = c != '"' && c != '=' && c != '\\';
  return plain;
}();

bool is_plain(char c) { return plain_characters[static_cast<unsigned char>(c)]; }

// Quoted whenever a reader could be misled.
void append_text(std::string& out, std::string_view value) {
  if (!value.empty() && std::ranges::all_of(value, is_plain)) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < ' ' || byte >= 127) {
      out += "\\x";
      out += hex_digits[byte >> 4];
      out += hex_digits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

// ---- JSON

// Takes one character of UTF-8 off the front; nothing, and one byte taken, when it is malformed.
std::optional<std::uint32_t> take_character(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text[0]);
  std::size_t length = 0;
  std::uint32_t character = 0;
  std::uint32_t least = 0;
  if (first >= 0xc2 && first < 0xe0) {
    length = 2;
    character = first & 0x1fu;
    least = 0x80;
  } else if (first >= 0xe0 && first < 0xf0) {
    length = 3;
    character = first & 0x0fu;
    least = 0x800;
  } else if (first >= 0xf0 && first < 0xf5) {
    length = 4;
    character = first & 0x07u;
    least = 0x10000;
  }
  bool good = length > 0 && length <= text.size();
  for (std::size_t i = 1; good && i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    good = (next & 0xc0u) == 0x80;
    character = character << 6 | (next & 0x3fu);
  }
  const bool surrogate = character >= 0xd800 && character < 0xe000;
  good = good && character >= least && character <= 0x10ffff && !surrogate;
  text.remove_prefix(good ? length : 1);
  return good ? std::optional(character) : std::nullopt;
}

void append_unit(std::string& out, std::uint32_t unit) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += hex_digits[unit >> shift & 15];
}

void append_json(std::string& out, std::string_view value) {
  out += '"';
  while (!value.empty()) {
    const char c = value[0];
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 128) {
      const auto character = take_character(value);
      if (!character) {
        append_unit(out, 0xfffd);
      } else if (*character < 0x10000) {
        append_unit(out, *character);
      } else {
        append_unit(out, 0xd800 + ((*character - 0x10000) >> 10));
        append_unit(out, 0xdc00 + ((*character - 0x10000) & 0x3ff));
      }
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < ' ' || byte == 127) {
      append_unit(out, byte);
    } else {
      out += c;
    }
    value.remove_prefix(1);
  }
  out += '"';
}

bool is_json_number(std::string_view value) {
  constexpr std::size_t longest = 19;
  const bool digits = std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
  return digits && value.size() <= longest && (value == "0" || value[0] != '0');
}

void append_json_field(std::string& out, const LogField& field) {
  out += ",\"";
  out += field.key;
  out += "\":";
  if (field.kind == LogKind::number && is_json_number(field.value)) {
    out += field.value;
  } else {
    append_json(out, field.value);
  }
}

}  // namespace

void append_log_fields(std::string& out, LogFormat format, LogLevel level, std::string_view event,
                       std::span<const LogField> fields) {
  const bool json = format == LogFormat::json;
  out += json ? "\"level\":\"" : "level=";
  out += name_of(level);
  out += json ? "\",\"msg\":\"" : " event=";
  out += event;
  if (json) out += '"';
  for (const auto& field : fields) {
    if (field.value.empty()) continue;
    if (json) {
      append_json_field(out, field);
      continue;
    }
    out += ' ';
    out += field.key;
    out += '=';
    append_text(out, field.value);
  }
  if (json) out += '}';
}

void LogTime::append(std::string& out, std::chrono::system_clock::time_point now) {
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  const bool json = format_ == LogFormat::json;
  if (second != second_ || date_.empty()) {
    const auto time = std::chrono::system_clock::to_time_t(second);
    std::tm local{};
    ::localtime_r(&time, &local);
    std::array<char, 64> text{};
    std::strftime(text.data(), text.size(),
                  json ? "{\"time\":\"%Y-%m-%dT%H:%M:%S." : "%Y/%m/%d %H:%M:%S.", &local);
    date_ = text.data();
    std::strftime(text.data(), text.size(), "%z", &local);
    zone_ = text.data();
    zone_.insert(3, 1, ':');
    second_ = second;
  }
  out += date_;
  auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now - second).count();
  std::array<char, 6> digits{};
  for (auto place = digits.size(); place-- > 0; micros /= 10) {
    digits[place] = static_cast<char>('0' + micros % 10);
  }
  out.append(digits.data(), digits.size());
  if (json) {
    out += zone_;
    out += "\",";
  } else {
    out += ' ';
  }
}

}  // namespace tus::app
