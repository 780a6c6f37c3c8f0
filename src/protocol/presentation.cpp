#include "protocol/presentation.h"

#include "base/ascii.h"
#include "protocol/header_values.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace tus::protocol {

namespace {

constexpr auto inline_types = std::to_array<std::string_view>(
    {"text/plain", "image/png", "image/jpeg", "image/gif", "image/bmp", "image/webp", "audio/wave",
     "audio/wav", "audio/x-wav", "audio/x-pn-wav", "audio/webm", "audio/ogg", "video/mp4",
     "video/webm", "video/ogg", "application/ogg"});

// Longer ones would make heads that clients refuse.
constexpr std::size_t max_name = 1024;
constexpr std::size_t max_type = 256;

const std::string* value_of(const Metadata& metadata, std::string_view key) noexcept {
  const auto pair =
      std::ranges::find(metadata, key, [](const auto& p) { return std::string_view(p.first); });
  return pair == metadata.end() || pair->second.empty() ? nullptr : &pair->second;
}

std::string_view take_token(std::string_view& text) noexcept {
  std::size_t end = 0;
  while (end < text.size() && is_field_name(text.substr(end, 1))) ++end;
  const auto token = text.substr(0, end);
  text.remove_prefix(end);
  return token;
}

bool take_quoted(std::string_view& text) noexcept {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool take_parameter(std::string_view& text) noexcept {
  if (take_token(text).empty() || !text.starts_with('=')) return false;
  text.remove_prefix(1);
  return text.starts_with('"') ? take_quoted(text) : !take_token(text).empty();
}

void skip_blanks(std::string_view& text) noexcept {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

// How many bytes the UTF-8 sequence at the start has; 0: none that is valid.
std::size_t sequence_length(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const auto second = byte(1);
  const bool is_overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool is_no_character = (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
  return is_overlong || is_no_character ? 0 : length;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Clients may send the path below the folder that was chosen; a name is what is behind it.
std::string_view last_segment(std::string_view path) noexcept {
  const auto slash = path.find_last_of("/\\");
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// What old clients could misread is an underscore: quotes, percent signs and all that is not ASCII, once a
// character.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) == 0x80) continue;
    const bool is_safe = !is_control(c) && byte < 0x80 && c != '"' && c != '%';
    plain += is_safe ? c : '_';
  }
  return plain;
}

// RFC 8187.
std::string extended_name(std::string_view name) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string text = "UTF-8''";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain =
        base::is_alpha(c) || base::is_digit(c) || std::string_view("!#$&+-.^_`|~").contains(c);
    if (is_plain) {
      text += c;
    } else {
      text += '%';
      text += hex[byte >> 4];
      text += hex[byte & 0x0f];
    }
  }
  return text;
}

std::string name_parameters(const Metadata& metadata) {
  const auto* value = value_of(metadata, "filename");
  if (value == nullptr) value = value_of(metadata, "name");
  if (value == nullptr) return {};
  const auto name = last_segment(*value);
  if (name.empty() || name.size() > max_name) return {};
  const auto plain = plain_name(name);
  std::string parameters = plain.empty() ? "" : "; filename=\"" + plain + "\"";
  const bool may_be_extended = is_utf8(name) && std::ranges::none_of(name, is_control);
  if (plain != name && may_be_extended) parameters += "; filename*=" + extended_name(name);
  return parameters;
}

}  // namespace

bool is_well_formed_media_type(std::string_view text) noexcept {
  if (!is_field_value(text) || take_token(text).empty() || !text.starts_with('/')) return false;
  text.remove_prefix(1);
  if (take_token(text).empty()) return false;
  for (skip_blanks(text); !text.empty(); skip_blanks(text)) {
    if (!text.starts_with(';')) return false;
    text.remove_prefix(1);
    skip_blanks(text);
    if (!text.empty() && !take_parameter(text)) return false;
  }
  return true;
}

Presentation present(const Metadata& metadata) {
  Presentation result{"application/octet-stream", "attachment"};
  const auto* type = value_of(metadata, "filetype");
  if (type != nullptr && type->size() <= max_type && is_well_formed_media_type(*type)) {
    result.content_type = *type;
    const auto is_this = [type](std::string_view known) { return is_media_type(*type, known); };
    if (std::ranges::any_of(inline_types, is_this)) result.disposition = "inline";
  }
  result.disposition += name_parameters(metadata);
  return result;
}

}  // namespace tus::protocol
