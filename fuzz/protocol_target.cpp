// Any request head: planning and answering it must neither crash nor let through what would break a
// response, a path or a file name.
// [FUZZ-1]
#include "fuzz/check.h"
#include "fuzz/targets.h"
#include "protocol/cors.h"
#include "protocol/download.h"
#include "protocol/header_values.h"
#include "protocol/metadata.h"
#include "protocol/tus_v1.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace tus::fuzz {

namespace {

// First line: method and target; then "Name: value" lines. Whatever does not look like it is taken as it
// is: a server might be wrong about what it lets through.
RequestHead head_from(std::string_view text) {
  RequestHead head;
  head.host = "example.org";
  bool first = true;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string_view separator = first ? " " : ": ";
    const auto split = line.find(separator);
    std::string left(line.substr(0, split));
    std::string right;
    if (split != std::string_view::npos) right = line.substr(split + separator.size());
    if (first) {
      head.method = std::move(left);
      head.target = std::move(right);
    } else {
      head.fields.add(std::move(left), std::move(right));
    }
    first = false;
  }
  return head;
}

void check_response(const Response& response) {
  require(response.status >= 200 && response.status < 600);
  for (const auto& field : response.fields) {
    require(protocol::is_field_name(field.name));
    require(protocol::is_field_value(field.value));
  }
}

// What was understood is written in one way only.
void check_demand(const RequestHead& head, const std::optional<ChecksumDemand>& demand) {
  if (!demand || !demand->known) return;
  const auto& digest = demand->known->digest;
  require(digest.size() == protocol::digest_size(demand->known->algorithm));
  require(head.fields.find("Upload-Checksum")->ends_with(" " + protocol::encode_base64(digest)));
}

UploadInfo upload_of(const Command& command) {
  UploadInfo upload;
  upload.id = *UploadId::parse("a");
  if (const auto* create = std::get_if<CreateCommand>(&command)) {
    upload.length = create->length;
    upload.raw_metadata = create->raw_metadata;
    upload.metadata = create->metadata;
    const auto again = protocol::parse_metadata(protocol::format_metadata(create->metadata));
    require(again.size() <= create->metadata.size());
    require(!create->is_partial || create->parts.empty());
    for (const auto& part : create->parts) require(UploadId::parse(part.str()).has_value());
    upload.raw_concat = create->raw_concat;
    upload.is_final = upload.join_pending = !create->parts.empty();
  }
  if (const auto* append = std::get_if<AppendCommand>(&command)) {
    require(UploadId::parse(append->id.str()).has_value());
    require(append->offset <= INT64_MAX);
    upload.id = append->id;
    upload.offset = append->offset;
    upload.length = append->declared_length;
  }
  return upload;
}

// Any metadata, range and condition.
void check_download(const RequestHead& head) {
  UploadInfo upload;
  upload.id = *UploadId::parse("a");
  upload.length = upload.offset = 10;
  if (const auto* raw = head.fields.find("Upload-Metadata")) {
    upload.metadata = protocol::parse_metadata(*raw);
  }
  auto answer = protocol::answer_download(head, upload, std::chrono::sys_seconds());
  if (answer.content) {
    require(answer.content->first <= 10 && answer.content->count <= 10 - answer.content->first);
  }
  protocol::Cors(CorsOptions()).complete(head, answer.head);
  check_response(answer.head);
}

}  // namespace

void protocol(std::string_view input) {
  const std::string text(input);
  const auto head = head_from(text);
  check_download(head);
  protocol::TusOptions options;
  options.can_check = true;
  options.can_concatenate = true;
  options.location.behind_proxy = true;
  const protocol::TusV1 tus(std::move(options));
  const auto command = tus.plan(head);
  if (!command) {
    check_response(command.error());
    return;
  }
  if (const auto* create = std::get_if<CreateCommand>(&*command)) {
    check_demand(head, create->checksum);
  }
  if (const auto* append = std::get_if<AppendCommand>(&*command)) {
    check_demand(head, append->checksum);
  }
  const Outcome outcome(upload_of(*command));
  check_response(tus.render(head, *command, outcome));
  check_response(tus.render(head, InspectCommand(), outcome));
}

}  // namespace tus::fuzz
