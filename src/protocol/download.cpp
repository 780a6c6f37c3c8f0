#include "protocol/download.h"

#include "protocol/http_date.h"
#include "protocol/presentation.h"

#include <utility>

namespace tus::protocol {

namespace {

Response start(int status, const Validators& validators) {
  Response response(status);
  response.fields.reserve(12);
  response.fields.add("Tus-Resumable", "1.0.0");
  response.fields.add("X-Content-Type-Options", "nosniff");
  response.fields.add("Accept-Ranges", "bytes");
  response.fields.add("ETag", validators.etag);
  if (validators.last_modified) {
    response.fields.add("Last-Modified", format_http_date(*validators.last_modified));
  }
  return response;
}

DownloadAnswer refuse(ErrorCode code, const Validators& validators) {
  const auto& description = describe(code);
  auto response = start(description.status, validators);
  response.error = code;
  response.fields.add("Content-Type", "text/plain; charset=utf-8");
  response.body = std::string(description.code) + ": " + std::string(description.message) + "\n";
  return {std::move(response), std::nullopt};
}

RangeAnswer selected(const RequestHead& head, const Validators& validators, std::uint64_t size) {
  const auto* range = head.fields.find("Range");
  const bool counts =
      range != nullptr && head.fields.count("Range") == 1 && range_counts(head.fields, validators);
  if (counts) return select_range(*range, size);
  return {RangeAnswer::Kind::whole, {0, size}};
}

}  // namespace

DownloadAnswer answer_download(const RequestHead& head, const UploadInfo& upload,
                               std::optional<std::chrono::sys_seconds> last_modified) {
  const Validators validators{entity_tag(upload), last_modified};
  switch (check_preconditions(head.fields, validators)) {
    case Precondition::not_modified:
      return {start(304, validators), std::nullopt};
    case Precondition::failed:
      return refuse(ErrorCode::precondition_failed, validators);
    case Precondition::holds:
      break;
  }
  const auto range = selected(head, validators, upload.offset);
  if (range.kind == RangeAnswer::Kind::unsatisfiable) {
    auto answer = refuse(ErrorCode::range_not_satisfiable, validators);
    answer.head.fields.add("Content-Range", content_range_of_none(upload.offset));
    return answer;
  }
  const bool is_part = range.kind == RangeAnswer::Kind::part;
  auto response = start(is_part ? 206 : 200, validators);
  if (is_part) response.fields.add("Content-Range", content_range(range.span, upload.offset));
  auto presentation = present(upload.metadata);
  response.fields.add("Content-Type", std::move(presentation.content_type));
  response.fields.add("Content-Disposition", std::move(presentation.disposition));
  // What a client uploaded must not act in the name of the site, however a browser comes to show it.
  response.fields.add("Content-Security-Policy", "sandbox");
  return {std::move(response), range.span};
}

std::optional<ErrorCode> refuse_download(const UploadInfo& upload) noexcept {
  if (upload.finish == FinishState::abandoned) return ErrorCode::upload_finish_failed;
  if (upload.finishing()) return ErrorCode::upload_finishing;
  if (!upload.finished()) return ErrorCode::incomplete_upload;
  return std::nullopt;
}

}  // namespace tus::protocol
