// Who may use a handler from pages of other origins.
#pragma once

#include <tus/export.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

TUS_NAMESPACE_BEGIN

// The lists are separated by commas and come on top of what tus needs.
struct CorsOptions {
  CorsOptions() = default;

  // Called for every request with an Origin, from any thread; must not throw. Empty: all are allowed.
  std::function<bool(std::string_view origin)> allows_origin;
  bool allow_credentials = false;
  std::string more_methods;
  std::string more_request_fields;   // that pages may send
  std::string more_response_fields;  // that pages may read
  std::string max_age = "86400";     // seconds for which browsers remember an answer to a preflight
};

TUS_NAMESPACE_END
