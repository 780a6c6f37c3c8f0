// What tells a receiver that a message is ours, and when it was sent.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace tus::hooks {

// "t=<seconds since 1970>,v1=<hex of HMAC-SHA256(secret, "<seconds>.<body>")>"
std::string signature(std::string_view secret, std::chrono::system_clock::time_point now,
                      std::string_view body);

}  // namespace tus::hooks
