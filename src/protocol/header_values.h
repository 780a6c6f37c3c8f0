// The grammar of single header values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tus::protocol {

// 1*DIGIT up to 2^63-1: no sign, no space, no other base.
std::optional<std::uint64_t> parse_count(std::string_view text) noexcept;

// Whether a Content-Type names this media type; case and parameters do not matter.
bool is_media_type(std::string_view content_type, std::string_view media_type) noexcept;

// Whether a name or a value from outside may be sent as it is: no line ends, no other controls.
bool is_field_name(std::string_view text) noexcept;
bool is_field_value(std::string_view text) noexcept;

// RFC 4648 section 4, with padding. Bits that the padding hides are not looked at.
std::optional<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

// Each %XX once. Nothing when one is malformed.
std::optional<std::string> decode_percent(std::string_view text);

}  // namespace tus::protocol
