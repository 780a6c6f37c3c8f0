#include "base/ascii.h"
#include "protocol/checksum.h"
#include "protocol/conditions.h"
#include "protocol/expiry.h"
#include "protocol/header_values.h"
#include "protocol/http_date.h"
#include "protocol/metadata.h"
#include "protocol/public_url.h"
#include "protocol/route.h"
#include "protocol/tus_v1.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tus::protocol {

namespace {

constexpr std::chrono::seconds retry_after_locked{1};
constexpr std::chrono::seconds retry_after_unavailable{5};
// Space does not come back in seconds, and clients without a limit of attempts would hammer.
constexpr std::chrono::seconds retry_after_no_space{30};

// What a hook may not set: the framing of the message is the server's business.
constexpr auto framing_fields =
    std::to_array<std::string_view>({"Content-Length", "Transfer-Encoding", "Connection",
                                     "Keep-Alive", "Upgrade", "Trailer", "Date"});

bool is_head(const RequestHead& head) {
  return head.method == "HEAD" || effective_method(head) == "HEAD";
}

Response start_response(const RequestHead& head, int status) {
  Response response(status);
  response.fields.reserve(8);
  response.fields.add("Tus-Resumable", "1.0.0");
  response.fields.add("X-Content-Type-Options", "nosniff");
  if (effective_method(head) == "HEAD") response.fields.add("Cache-Control", "no-store");
  return response;
}

std::string error_body(const ErrorDescription& error) {
  if (error.code.empty()) return std::string(error.message);
  std::string body(error.code);
  body += ": ";
  body += error.message;
  body += '\n';
  return body;
}

std::optional<std::chrono::seconds> default_retry_after(int status) {
  switch (status) {
    case 423:
      return retry_after_locked;
    case 429:
    case 503:
      return retry_after_unavailable;
    case 507:
      return retry_after_no_space;
    default:
      return std::nullopt;
  }
}

std::string allowed_methods(const RequestHead& head, const TusOptions& options) {
  switch (find_route(head.target, options.base_path).resource) {
    case Resource::collection:
      return "OPTIONS, POST";
    case Resource::upload:
      return std::string("OPTIONS, HEAD, ") + (options.can_download ? "GET, " : "") + "PATCH" +
             (options.can_terminate ? ", DELETE" : "");
    case Resource::none:
      break;
  }
  return "OPTIONS";
}

std::string location(const RequestHead& head, const TusOptions& options, const UploadId& id) {
  return public_url(head, options.location, options.base_path, id);
}

// What a client sent comes back byte for byte. It may also come from a file that somebody else wrote.
std::string metadata_of(const UploadInfo& upload) {
  const bool is_echo = !upload.raw_metadata.empty() && is_field_value(upload.raw_metadata);
  return is_echo ? upload.raw_metadata : format_metadata(upload.metadata);
}

// Upload-Concat as the client sent it. Go's tusd keeps only the ids of the parts, and makes it anew of them.
std::string concat_of(const RequestHead& head, const TusOptions& options,
                      const UploadInfo& upload) {
  if (!upload.raw_concat.empty()) return upload.raw_concat;
  if (!upload.is_final || upload.partial_uploads.empty()) return {};
  std::string value = "final;";
  for (const auto& part : upload.partial_uploads) {
    auto id = UploadId::parse(part);
    if (!id) return {};
    if (value.back() != ';') value += ' ';
    value += location(head, options, *id);
  }
  return value;
}

void add_upload(Fields& fields, const RequestHead& head, const TusOptions& options,
                const UploadInfo& upload) {
  // A final upload whose parts are not all in it has nothing that a client could go on from.
  if (!upload.is_final || upload.has_all_bytes()) {
    fields.add("Upload-Offset", std::to_string(upload.offset));
  }
  if (upload.length) {
    fields.add("Upload-Length", std::to_string(*upload.length));
  } else if (!upload.is_final) {
    fields.add("Upload-Defer-Length", "1");
  }
  const auto& digest = upload.digest.repr;
  if (upload.finished() && !digest.empty() && is_field_value(digest)) {
    fields.add("Repr-Digest", digest);
  }
  if (auto metadata = metadata_of(upload); !metadata.empty()) {
    fields.add("Upload-Metadata", std::move(metadata));
  }
  if (auto concat = concat_of(head, options, upload); !concat.empty() && is_field_value(concat)) {
    fields.add("Upload-Concat", std::move(concat));
  }
}

void add_checksum_algorithms(Fields& fields) {
  fields.add("Tus-Checksum-Algorithm", std::string(checksum_algorithms()));
}

// A hook answers with a status of 0, an empty body or no fields where ours are to stay.
void merge(Response& ours, const Response& hook) {
  if (hook.status >= 200 && hook.status <= 599) ours.status = hook.status;
  for (const auto& [name, value] : hook.fields) {
    const auto is_name = [&name](std::string_view other) {
      return base::equals_ignoring_case(name, other);
    };
    if (std::ranges::any_of(framing_fields, is_name)) continue;
    if (is_field_name(name) && is_field_value(value)) ours.fields.set(name, value);
  }
  if (!hook.body.empty()) ours.body = hook.body;
}

Response finish_response(const RequestHead& head, Response response) {
  const bool has_body = response.status != 204 && response.status != 304 && !is_head(head);
  if (!has_body) response.body.clear();
  if (!response.body.empty() && response.fields.find("Content-Type") == nullptr) {
    response.fields.add("Content-Type", "text/plain; charset=utf-8");
  }
  return response;
}

Response failure(const RequestHead& head, const TusOptions& options, ErrorCode code,
                 std::optional<std::chrono::seconds> retry_after) {
  const auto& description = describe(code);
  Response response = start_response(head, description.status);
  response.error = code;
  response.body = error_body(description);
  auto& fields = response.fields;
  if (code == ErrorCode::unsupported_version) fields.add("Tus-Version", "1.0.0");
  if (code == ErrorCode::method_not_allowed) fields.add("Allow", allowed_methods(head, options));
  if (code == ErrorCode::invalid_content_type) {
    fields.add("Accept-Patch", "application/offset+octet-stream");
  }
  if (code == ErrorCode::checksum_algorithm_unsupported) add_checksum_algorithms(fields);
  if (!retry_after) retry_after = default_retry_after(description.status);
  if (retry_after) fields.add("Retry-After", std::to_string(retry_after->count()));
  return response;
}

// Writes what a command that went well is answered with, or what is true beside its error.
class Success {
 public:
  Success(const RequestHead& head, const TusOptions& options, const std::string& extensions,
          const Outcome& outcome, Response& response)
      : head_(head),
        options_(options),
        extensions_(extensions),
        outcome_(outcome),
        response_(response) {}

  void operator()(const DescribeCommand& command) const {
    response_.fields.add("Tus-Version", "1.0.0");
    response_.fields.add("Tus-Extension", extensions_);
    if (options_.can_check) add_checksum_algorithms(response_.fields);
    if (command.max_size > 0) {
      response_.fields.add("Tus-Max-Size", std::to_string(command.max_size));
    }
  }

  void operator()(const CreateCommand& command) const {
    set_status(201);
    if (!outcome_.upload) return;
    response_.fields.add("Location", location(head_, options_, outcome_.upload->id));
    if (command.with_content) add_offset();
    add_expiry();
  }

  void operator()(const AppendCommand&) const {
    set_status(204);
    add_offset();
    add_expiry();
  }

  void operator()(const InspectCommand&) const {
    set_status(200);
    if (!outcome_.upload || outcome_.error) return;
    add_upload(response_.fields, head_, options_, *outcome_.upload);
    add_expiry();
    if (options_.can_download && outcome_.upload->finished()) {
      response_.fields.add("Accept-Ranges", "bytes");
      response_.fields.add("ETag", entity_tag(*outcome_.upload));
    }
  }

  void operator()(const TerminateCommand&) const { set_status(204); }

  // What goes well is answered with download.h.
  void operator()(const ReadCommand&) const {}

 private:
  void set_status(int status) const {
    if (!outcome_.error) response_.status = status;
  }

  // Of an upload whose finish is not done, the offset would make clients believe that it is.
  void add_offset() const {
    if (!outcome_.upload || (outcome_.error && outcome_.upload->finishing())) return;
    response_.fields.add("Upload-Offset", std::to_string(outcome_.upload->offset));
  }

  void add_expiry() const {
    if (!outcome_.upload) return;
    const auto end = expiry_of(*outcome_.upload, options_.expire_after);
    if (end) response_.fields.add("Upload-Expires", format_http_date(*end));
  }

  const RequestHead& head_;
  const TusOptions& options_;
  const std::string& extensions_;
  const Outcome& outcome_;
  Response& response_;
};

}  // namespace

Response TusV1::render(const RequestHead& head, const Command& command,
                       const Outcome& outcome) const {
  Response response = outcome.error
                          ? failure(head, options_, outcome.error->code(), outcome.retry_after)
                          : start_response(head, 200);
  std::visit(Success(head, options_, extensions_, outcome, response), command);
  if (outcome.hook_response) merge(response, *outcome.hook_response);
  return finish_response(head, std::move(response));
}

Response TusV1::render_error(const RequestHead& head, ErrorCode code) const {
  return finish_response(head, failure(head, options_, code, std::nullopt));
}

}  // namespace tus::protocol
