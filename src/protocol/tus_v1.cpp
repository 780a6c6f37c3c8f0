#include "protocol/tus_v1.h"

#include "base/ascii.h"
#include "protocol/concat.h"
#include "protocol/header_values.h"
#include "protocol/metadata.h"
#include "protocol/public_url.h"
#include "protocol/route.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tus::protocol {

namespace {

constexpr std::string_view version = "1.0.0";
constexpr std::string_view content_media_type = "application/offset+octet-stream";

constexpr auto known_methods = std::to_array<std::string_view>(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"});

// Two of these could be read differently by us and by a proxy in front of us.
constexpr auto singletons = std::to_array<std::string_view>(
    {"Tus-Resumable", "Upload-Offset", "Upload-Length", "Upload-Defer-Length", "Upload-Concat",
     "Upload-Checksum", "Content-Type"});

using Plan = std::expected<Command, ErrorCode>;

std::unexpected<ErrorCode> reject(ErrorCode code) { return std::unexpected(code); }

bool has(const RequestHead& head, std::string_view name) {
  return head.fields.find(name) != nullptr;
}

bool has_content_type(const RequestHead& head) {
  const auto* type = head.fields.find("Content-Type");
  return type != nullptr && is_media_type(*type, content_media_type);
}

bool is_ambiguous(const RequestHead& head) {
  return std::ranges::any_of(
      singletons, [&head](std::string_view name) { return head.fields.count(name) > 1; });
}

// What the body has to be, where that can be looked at.
std::expected<std::optional<ChecksumDemand>, ErrorCode> demanded_checksum(
    const RequestHead& head, const TusOptions& options) {
  auto demand = checksum_of(head);
  // To ignore one would take bytes that the client relies on having checked.
  const bool brought = !demand || *demand;
  if (brought && !options.can_check) return reject(ErrorCode::checksum_unsupported);
  return demand;
}

// Clients of downloads and health checks send HEAD and GET without a version; a wrong one is an error.
bool accepts_version(const RequestHead& head, std::string_view method) {
  if (method == "GET") return true;
  const auto* sent = head.fields.find("Tus-Resumable");
  if (sent == nullptr) return method == "HEAD";
  return *sent == version;
}

std::string joined(const Fields& fields, std::string_view name) {
  std::string text;
  bool first = true;
  for (const auto& field : fields) {
    if (!base::equals_ignoring_case(field.name, name)) continue;
    if (!first) text += ',';
    text += field.value;
    first = false;
  }
  return text;
}

std::expected<std::optional<std::uint64_t>, ErrorCode> new_length(const RequestHead& head,
                                                                  const TusOptions& options) {
  const auto* length = head.fields.find("Upload-Length");
  const auto* defer = head.fields.find("Upload-Defer-Length");
  if (length != nullptr && defer != nullptr) return reject(ErrorCode::ambiguous_upload_length);
  if (defer != nullptr) {
    if (*defer != "1") return reject(ErrorCode::invalid_upload_defer_length);
    if (!options.can_defer_length) return reject(ErrorCode::not_implemented);
    return std::nullopt;
  }
  const auto count = length != nullptr ? parse_count(*length) : std::nullopt;
  if (!count) return reject(ErrorCode::invalid_upload_length);
  return count;
}

// Neither partial nor final where the header is not there.
std::expected<Concat, ErrorCode> plan_concat(const RequestHead& head, const TusOptions& options) {
  const auto* sent = head.fields.find("Upload-Concat");
  if (sent == nullptr) return Concat();
  if (!options.can_concatenate) return reject(ErrorCode::concatenation_unsupported);
  auto concat = parse_concat(*sent, options.base_path, public_prefix(head, options.location));
  if (!concat) return reject(ErrorCode::invalid_concat);
  if (concat->is_partial) return *std::move(concat);
  // The parts say how long it is, and bring all of its bytes.
  if (has(head, "Upload-Length") || has(head, "Upload-Defer-Length")) {
    return reject(ErrorCode::invalid_upload_length);
  }
  const bool empty = !head.has_body || head.content_length == 0;
  if (has_content_type(head) && !empty) return reject(ErrorCode::modify_final);
  return *std::move(concat);
}

Plan plan_create(const RequestHead& head, const TusOptions& options) {
  // To ignore one of these would create another upload than the client asked for.
  auto concat = plan_concat(head, options);
  if (!concat) return reject(concat.error());
  auto checksum = demanded_checksum(head, options);
  if (!checksum) return reject(checksum.error());
  // A checksum speaks of content, and this would be none.
  if (*checksum && (!has_content_type(head) || !concat->parts.empty())) {
    return reject(ErrorCode::invalid_content_type);
  }

  CreateCommand command;
  command.is_partial = concat->is_partial;
  command.parts = std::move(concat->parts);
  if (command.parts.empty()) {
    const auto length = new_length(head, options);
    if (!length) return reject(length.error());
    command.length = *length;
  }
  command.raw_concat = joined(head.fields, "Upload-Concat");
  command.raw_metadata = joined(head.fields, "Upload-Metadata");
  command.metadata = parse_metadata(command.raw_metadata);
  // Many stacks force a body or a type on every POST; such a body is not the upload's.
  command.with_content = has_content_type(head) && command.parts.empty();
  command.checksum = std::move(*checksum);
  return command;
}

Plan plan_append(const RequestHead& head, UploadId id, const TusOptions& options) {
  if (!has_content_type(head)) return reject(ErrorCode::invalid_content_type);
  auto checksum = demanded_checksum(head, options);
  if (!checksum) return reject(checksum.error());
  const auto* sent_offset = head.fields.find("Upload-Offset");
  const auto offset = sent_offset != nullptr ? parse_count(*sent_offset) : std::nullopt;
  if (!offset) return reject(ErrorCode::invalid_offset);

  AppendCommand command;
  command.id = std::move(id);
  command.offset = *offset;
  command.checksum = std::move(*checksum);
  if (const auto* length = head.fields.find("Upload-Length")) {
    command.declared_length = parse_count(*length);
    if (!command.declared_length) return reject(ErrorCode::invalid_upload_length);
  }
  return command;
}

Plan plan_upload(const RequestHead& head, std::string_view method, UploadId id,
                 const TusOptions& options) {
  if (method == "HEAD") {
    InspectCommand command;
    command.id = std::move(id);
    return command;
  }
  if (method == "GET" && options.can_download) {
    ReadCommand command;
    command.id = std::move(id);
    return command;
  }
  if (method == "PATCH") return plan_append(head, std::move(id), options);
  if (method == "DELETE" && options.can_terminate) {
    TerminateCommand command;
    command.id = std::move(id);
    return command;
  }
  return reject(ErrorCode::method_not_allowed);
}

Plan plan_command(const RequestHead& head, const TusOptions& options) {
  if (head.fields.count("X-HTTP-Method-Override") > 1) return reject(ErrorCode::invalid_request);
  const auto method = effective_method(head);
  if (method == "OPTIONS") return DescribeCommand();
  if (std::ranges::find(known_methods, method) == known_methods.end()) {
    return reject(ErrorCode::not_implemented);
  }
  if (is_ambiguous(head)) return reject(ErrorCode::invalid_request);
  if (!accepts_version(head, method)) return reject(ErrorCode::unsupported_version);

  auto route = find_route(head.target, options.base_path);
  switch (route.resource) {
    case Resource::none:
      break;
    case Resource::collection:
      if (method != "POST") return reject(ErrorCode::method_not_allowed);
      return plan_create(head, options);
    case Resource::upload:
      return plan_upload(head, method, std::move(route.id), options);
  }
  return reject(ErrorCode::upload_not_found);
}

std::string list_extensions(const TusOptions& options) {
  std::string list = "creation,creation-with-upload";
  if (options.can_terminate) list += ",termination";
  if (options.can_concatenate) list += ",concatenation,concatenation-unfinished";
  if (options.can_defer_length) list += ",creation-defer-length";
  if (options.expire_after.count() > 0) list += ",expiration";
  if (options.can_check) list += ",checksum,checksum-trailer";
  return list;
}

}  // namespace

std::string_view effective_method(const RequestHead& head) noexcept {
  const auto* override_method = head.fields.find("X-HTTP-Method-Override");
  const bool is_set = override_method != nullptr && !override_method->empty();
  return is_set ? *override_method : head.method;
}

TusV1::TusV1(TusOptions options)
    : options_(std::move(options)), extensions_(list_extensions(options_)) {}

std::expected<Command, Response> TusV1::plan(const RequestHead& head) const {
  auto command = plan_command(head, options_);
  if (!command) return std::unexpected(render_error(head, command.error()));
  return std::move(*command);
}

}  // namespace tus::protocol
