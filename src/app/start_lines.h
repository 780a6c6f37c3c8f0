// The lines that scripts wait for when the server starts.
#pragma once

#include "app/config.h"

#include <chrono>
#include <string>
#include <vector>

namespace tus::app {

struct ListenerLine {
  std::string address;  // "0.0.0.0:1080", or the path of a Unix socket
  bool is_unix = false;
};

// In tusd's order and words, without the date. As tusd, it names no URL for a Unix socket.
std::vector<std::string> start_lines(const Config& config, const std::string& extensions,
                                     const std::vector<ListenerLine>& listeners);

// "2006/01/02 15:04:05.000000 ", local time, as Go's log package writes it.
std::string go_date_prefix(std::chrono::system_clock::time_point now);

}  // namespace tus::app
