// Responses as bytes of HTTP/1.x.
#pragma once

#include "server/head_parser.h"

#include <tus/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tus::server {

struct ResponseContext {
  std::string_view date;                        // IMF-fixdate
  bool to_head = false;                         // the request was HEAD: no body goes out
  bool close = false;                           // the connection ends after this response
  bool confirm_keep_alive = false;              // HTTP/1.0 clients close unless told otherwise
  std::optional<std::uint64_t> content_length;  // of a body that is not in the response
};

bool may_have_body(int status) noexcept;

// Whether the body of this response is sent.
bool sends_body(const Response& response, const ResponseContext& context) noexcept;

// Appends the status line and all fields. Date, Content-Length, Connection and Transfer-Encoding among
// response.fields are ignored, and a value that could break out of its line is left out. What every
// answer carries (nosniff; no-store for HEAD) is added where it is missing.
void write_head(std::string& out, const Response& response, const ResponseContext& context);
void write_interim(std::string& out, int status, const Fields& fields);

// An answer of the server itself: "CODE: message\n".
Response plain_error(const Rejection& rejection);

}  // namespace tus::server
