#include "protocol/cors.h"

#include "protocol/header_values.h"
#include "protocol/tus_v1.h"

#include <string_view>

namespace tus::protocol {

namespace {

constexpr std::string_view methods = "POST, HEAD, PATCH, OPTIONS, GET, DELETE";

// First tusd's, in its order; then what it lacks.
constexpr std::string_view request_fields =
    "Authorization, Origin, X-Requested-With, X-Request-ID, X-HTTP-Method-Override, Content-Type, "
    "Upload-Length, Upload-Offset, Tus-Resumable, Upload-Metadata, Upload-Defer-Length, "
    "Upload-Concat, Upload-Incomplete, Upload-Complete, Upload-Draft-Interop-Version, "
    "Upload-Checksum, Content-Disposition, Content-Digest, Repr-Digest, Want-Repr-Digest, Range, "
    "If-Match, If-None-Match, If-Range, If-Modified-Since, If-Unmodified-Since";

constexpr std::string_view response_fields =
    "Upload-Offset, Location, Upload-Length, Tus-Version, Tus-Resumable, Tus-Max-Size, "
    "Tus-Extension, Upload-Metadata, Upload-Defer-Length, Upload-Concat, Upload-Incomplete, "
    "Upload-Complete, Upload-Draft-Interop-Version, Upload-Expires, Upload-Limit, "
    "Tus-Checksum-Algorithm, Repr-Digest, Content-Disposition, Accept-Patch, Retry-After, "
    "Accept-Ranges, Content-Length, Content-Range, ETag, Last-Modified";

std::string joined(std::string_view ours, std::string_view more) {
  std::string list(ours);
  if (more.empty()) return list;
  list += ", ";
  list += more;
  return list;
}

// The browser's own question before a request of a page; nothing of its answer is shown to the page. A page may also
// send OPTIONS itself, to learn what the server can do.
bool is_preflight(const RequestHead& head) {
  return head.method == "OPTIONS" && head.fields.find("Access-Control-Request-Method") != nullptr;
}

void add_vary(Fields& fields) {
  const auto* vary = fields.find("Vary");
  fields.set("Vary", vary == nullptr || vary->empty() ? "Origin" : *vary + ", Origin");
}

}  // namespace

Cors::Cors(const std::optional<CorsOptions>& options) : options_(options) {
  if (!options_) return;
  methods_ = joined(methods, options_->more_methods);
  request_fields_ = joined(request_fields, options_->more_request_fields);
  response_fields_ = joined(response_fields, options_->more_response_fields);
  max_age_ = options_->max_age;
}

bool Cors::allows(const std::string& origin) const {
  return !options_->allows_origin || options_->allows_origin(origin);
}

bool Cors::refuses(const RequestHead& head) const {
  if (!options_) return false;
  const auto* origin = head.fields.find("Origin");
  if (origin == nullptr || origin->empty()) return false;
  return head.fields.count("Origin") > 1 || !allows(*origin);
}

void Cors::complete(const RequestHead& head, Response& response) const {
  if (!options_) return;
  const auto method = effective_method(head);
  const auto* origin = head.fields.find("Origin");
  const bool has_origin = origin != nullptr && !origin->empty();
  // A cache must not give a page what it kept from a request without an origin, or with another one.
  if (has_origin || method == "GET") add_vary(response.fields);
  if (!has_origin || response.error == ErrorCode::origin_not_allowed) return;
  if (!is_field_value(*origin)) return;
  auto& fields = response.fields;
  fields.set("Access-Control-Allow-Origin", *origin);
  if (options_->allow_credentials) fields.set("Access-Control-Allow-Credentials", "true");
  if (method == "OPTIONS") {
    fields.set("Access-Control-Allow-Methods", methods_);
    fields.set("Access-Control-Allow-Headers", request_fields_);
    fields.set("Access-Control-Max-Age", max_age_);
  }
  if (!is_preflight(head)) fields.set("Access-Control-Expose-Headers", response_fields_);
}

}  // namespace tus::protocol
