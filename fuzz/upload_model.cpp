#include "fuzz/upload_model.h"

#include "fuzz/check.h"
#include "protocol/concat.h"
#include "protocol/header_values.h"

#include <algorithm>
#include <array>

namespace tus::fuzz {

namespace {

constexpr std::string_view base_path = "/files/";

std::optional<std::uint64_t> number_of(const HeaderFields& fields, std::string_view name) {
  const auto text = only_value(fields, name);
  return text ? protocol::parse_count(*text) : std::nullopt;
}

// Refused for what the head or the upload says: no byte of the body can have been kept.
bool keeps_nothing(int status) {
  constexpr std::array<int, 10> refusals{403, 404, 405, 409, 410, 412, 415, 417, 460, 501};
  return std::ranges::find(refusals, status) != refusals.end();
}

std::string last_of_path(std::string_view url) {
  const auto at = url.find(base_path);
  require(at != std::string_view::npos);
  return std::string(url.substr(at + base_path.size()));
}

}  // namespace

std::string method_of(const SentRequest& request) {
  const auto times = count_of(request.fields, "x-http-method-override");
  if (times > 1) return {};
  const auto other = only_value(request.fields, "x-http-method-override");
  return other && !other->empty() ? *other : request.method;
}

UploadModel::Known* UploadModel::find(const SentRequest& request) {
  std::string_view target = request.target;
  target = target.substr(0, target.find('?'));
  if (!target.starts_with(base_path)) return nullptr;
  const auto id = protocol::decode_percent(target.substr(base_path.size()));
  if (!id) return nullptr;
  const auto found = uploads_.find(*id);
  return found == uploads_.end() ? nullptr : &found->second;
}

void UploadModel::settle(Known& upload, std::uint64_t offset) const {
  require(offset >= upload.bytes.size());
  if (upload.length) require(offset <= *upload.length);
  const auto more = static_cast<std::size_t>(offset) - upload.bytes.size();
  if (certain_ && !upload.unclear) {
    require(more <= upload.maybe.value_or("").size());
    upload.bytes += upload.maybe.value_or("").substr(0, more);
  }
  upload.maybe.reset();
}

void UploadModel::created(const SentRequest& request, const Answer& answer) {
  const auto location = only_value(answer.fields, "location");
  if (!location) {
    require(answer.status != 201);
    may_be_more_ = may_be_more_ || answer.status >= 500;
    return;
  }
  const auto id = last_of_path(*location);
  require(!uploads_.contains(id));
  Known upload;
  upload.length = number_of(request.fields, "upload-length");
  upload.raw_metadata = only_value(request.fields, "upload-metadata");
  upload.maybe = request.body;
  const auto offset = number_of(answer.fields, "upload-offset").value_or(0);
  if (answer.status == 201)
    require(offset == 0 || (request.whole && offset == request.body.size()));
  settle(upload, offset);
  if (const auto concat = only_value(request.fields, "upload-concat")) {
    const auto parsed = protocol::parse_concat(*concat, base_path);
    require(parsed.has_value());
    for (const auto& part : parsed->parts) upload.parts.push_back(part.str());
    if (!parsed->parts.empty()) upload.length.reset();
  }
  uploads_.emplace(id, std::move(upload));
}

void UploadModel::appended(Known& upload, const SentRequest& request, const Answer& answer) {
  const auto at = number_of(request.fields, "upload-offset");
  const auto told = number_of(answer.fields, "upload-offset");
  if (answer.status == 204) {
    require(upload.parts.empty() && !upload.gone && request.whole && at && told);
    require(*told == *at + request.body.size());
    settle(upload, *at);
    if (const auto length = number_of(request.fields, "upload-length")) {
      require(!upload.length || upload.length == length);
      upload.length = length;
    }
    upload.maybe = request.body;
    settle(upload, *told);
    return;
  }
  require(answer.status >= 400);
  if (!keeps_nothing(answer.status) && at) {
    if (upload.maybe && !upload.maybe->empty()) upload.unclear = true;
    if (*at == upload.bytes.size()) upload.maybe = request.body;
    // It may have been declared, whatever became of the body.
    const auto length = number_of(request.fields, "upload-length");
    if (length && !upload.length && told) upload.length = length;
  }
  if (told && upload.parts.empty()) settle(upload, *told);
}

void UploadModel::inspected(Known& upload, const Answer& answer) const {
  if (answer.status != 200) return;
  require(!upload.gone);
  if (upload.raw_metadata && !upload.raw_metadata->empty()) {
    require(only_value(answer.fields, "upload-metadata") == upload.raw_metadata);
  }
  const auto length = number_of(answer.fields, "upload-length");
  const auto deferred = only_value(answer.fields, "upload-defer-length");
  require(!(length && deferred));
  if (upload.length) require(length == upload.length);
  const auto offset = number_of(answer.fields, "upload-offset");
  if (!upload.parts.empty()) {
    // Of a final upload there is nothing or all.
    if (offset) require(offset == length);
    return;
  }
  require(offset.has_value());
  settle(upload, *offset);
}

void UploadModel::downloaded(Known& upload, const Answer& answer) const {
  if (answer.status != 200 && answer.status != 206) return;
  require(!upload.gone);
  const auto content = content_of(upload);
  if (!content) return;
  if (answer.status == 200) {
    require(answer.body == *content);
    return;
  }
  const auto range = only_value(answer.fields, "content-range").value_or("");
  require(range.starts_with("bytes ") && range.ends_with("/" + std::to_string(content->size())));
  const auto first = protocol::parse_count(range.substr(6, range.find('-') - 6));
  require(first && *first < content->size());
  require(answer.body == content->substr(static_cast<std::size_t>(*first), answer.body.size()));
}

void UploadModel::answered(const SentRequest& request, const Answer& answer) {
  const auto method = method_of(request);
  if (method == "POST") {
    created(request, answer);
    return;
  }
  auto* upload = find(request);
  if (upload == nullptr) {
    const bool about_an_upload =
        method == "PATCH" || method == "DELETE" || method == "GET" || method == "HEAD";
    if (certain_ && !may_be_more_ && about_an_upload) require(answer.status >= 400);
    return;
  }
  if (upload->gone) require(answer.status >= 400 || method == "OPTIONS");
  if (method == "PATCH") appended(*upload, request, answer);
  if (method == "HEAD") inspected(*upload, answer);
  if (method == "GET") downloaded(*upload, answer);
  if (method == "DELETE" && answer.status == 204) upload->gone = true;
}

void UploadModel::unanswered(const SentRequest& request) {
  const auto method = method_of(request);
  may_be_more_ = may_be_more_ || method == "POST";
  auto* upload = find(request);
  if (upload == nullptr) return;
  if (method == "DELETE") upload->unclear = true;
  if (method != "PATCH") return;
  if (upload->maybe && !upload->maybe->empty()) upload->unclear = true;
  const auto at = number_of(request.fields, "upload-offset");
  if (at == upload->bytes.size()) upload->maybe = request.body;
  const auto length = number_of(request.fields, "upload-length");
  if (!upload->length) upload->length = length;
}

// Nothing, where it is not known for certain.
std::optional<std::string> UploadModel::content_of(const Known& upload) const {
  if (!certain_ || upload.unclear || upload.maybe.value_or("") != "") return std::nullopt;
  if (upload.parts.empty()) return upload.bytes;
  std::string all;
  for (const auto& id : upload.parts) {
    const auto part = uploads_.find(id);
    if (part == uploads_.end()) return std::nullopt;
    const auto content = content_of(part->second);
    if (!content) return std::nullopt;
    all += *content;
  }
  return all;
}

void UploadModel::check(const std::map<std::string, StoredUpload>& stored) {
  for (auto& [id, upload] : uploads_) {
    const auto found = stored.find(id);
    if (upload.gone) {
      require(found == stored.end());
      continue;
    }
    if (found == stored.end()) {
      require(!certain_ || upload.unclear);
      continue;
    }
    const auto& info = found->second.info;
    if (info.join_pending) continue;
    if (upload.parts.empty()) settle(upload, info.offset);
    require(found->second.bytes.size() == info.offset);
    require(found->second.bytes.starts_with(upload.bytes));
    if (const auto content = content_of(upload)) require(found->second.bytes == *content);
  }
  if (!certain_ || may_be_more_) return;
  for (const auto& [id, upload] : stored) require(uploads_.contains(id));
}

}  // namespace tus::fuzz
