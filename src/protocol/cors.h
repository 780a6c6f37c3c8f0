// Cross-origin requests (the Fetch standard), as Go's tusd answers them.
#pragma once

#include <tus/cors.h>
#include <tus/message.h>

#include <optional>
#include <string>

namespace tus::protocol {

class Cors {
 public:
  // None: no fields are sent and no origin is refused.
  explicit Cors(const std::optional<CorsOptions>& options);

  // Whether the request comes from an origin that is not allowed; it is not carried out then.
  bool refuses(const RequestHead& head) const;

  // Adds to an answer what a browser needs to show it to the page that asked.
  void complete(const RequestHead& head, Response& response) const;

 private:
  bool allows(const std::string& origin) const;

  std::optional<CorsOptions> options_;
  std::string methods_;
  std::string request_fields_;
  std::string response_fields_;
  std::string max_age_;
};

}  // namespace tus::protocol
