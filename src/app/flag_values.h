// Values as they are written on Go command lines.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tus::app {

// "60s", "1h30m", "1.5s", "100ms", "0"; nothing for anything else, negative ones included.
std::optional<std::chrono::milliseconds> parse_go_duration(std::string_view text);

// A bare number in base 10 (or 8), nothing on signs, spaces or overflow.
std::optional<std::uint64_t> parse_number(std::string_view text, int base = 10);

// As strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False.
std::optional<bool> parse_go_bool(std::string_view text);

}  // namespace tus::app
