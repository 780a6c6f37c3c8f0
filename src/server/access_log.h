// One line for each request, whatever became of it.
#pragma once

#include <tus/logger.h>

#include <chrono>
#include <cstdint>
#include <string_view>

namespace tus::server {

enum class Delivery : std::uint8_t {
  whole,
  broken,  // the client went before it had all of the answer
};

struct AccessLine {
  std::string_view method = {};  // as sent; nothing of a request that nobody understood
  std::string_view path = {};
  std::string_view remote = {};
  std::string_view request_id = {};
  int status = 0;
  std::uint64_t bytes_in = 0;   // of the request's body, without framing
  std::uint64_t bytes_out = 0;  // of the answer's body
  std::chrono::nanoseconds duration{0};
  Delivery delivery = Delivery::whole;
};

void log_access(Logger& logger, const AccessLine& line) noexcept;

}  // namespace tus::server
