// Dates in header fields. RFC 9110 section 5.6.7.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tus::protocol {

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string format_http_date(std::chrono::sys_seconds time);

// The form above and the two obsolete ones: "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". The
// name of the day is not looked at.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

}  // namespace tus::protocol
