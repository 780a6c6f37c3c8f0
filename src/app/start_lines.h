// The lines that scripts wait for when the server starts.
#pragma once

#include "app/config.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace tus::app {

// In tusd's order and words, without the date. `port` is the one that was really taken.
std::vector<std::string> start_lines(const Config& config, const std::string& extensions,
                                     std::uint16_t port);

// "2006/01/02 15:04:05.000000 ", local time, as Go's log package writes it.
std::string go_date_prefix(std::chrono::system_clock::time_point now);

}  // namespace tus::app
