#include "bench/null_objects.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace bench {
namespace {

constexpr std::size_t page_size = 1000;
constexpr std::string_view date = "2026-01-01T00:00:00.000Z";

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out +=
          static_cast<char>(std::strtoul(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string element(std::string_view name, std::string_view value) {
  return "<" + std::string(name) + ">" + escaped(value) + "</" + std::string(name) + ">";
}

S3Reply xml(std::string_view name, std::string_view content) {
  S3Reply reply;
  reply.fields = "Content-Type: application/xml\r\n";
  reply.body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><" + std::string(name) +
               " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" + std::string(content) + "</" +
               std::string(name) + ">";
  return reply;
}

S3Reply error(int status, std::string_view code) {
  auto reply = xml("Error", element("Code", code) + element("RequestId", "null"));
  reply.status = status;
  return reply;
}

std::pair<std::string, std::string> split(const std::string& name) {
  const auto slash = name.find('/');
  if (slash == std::string::npos) return {name, ""};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

// What of a request comes back with its object.
std::string fields_to_keep(std::string_view head) {
  std::string kept;
  while (!head.empty()) {
    const auto end = std::min(head.find("\r\n"), head.size());
    const auto line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const auto name = line.substr(0, line.find(':'));
    if (same_name(name.substr(0, 11), "x-amz-meta-") || same_name(name, "content-type")) {
      kept += std::string(line) + "\r\n";
    }
  }
  return kept;
}

constexpr std::array<const char*, 12> operation_names{"PutObject",
                                                      "GetObject",
                                                      "HeadObject",
                                                      "DeleteObject",
                                                      "CreateMultipartUpload",
                                                      "UploadPart",
                                                      "UploadPartCopy",
                                                      "ListParts",
                                                      "CompleteMultipartUpload",
                                                      "AbortMultipartUpload",
                                                      "ListObjects",
                                                      "other"};

}  // namespace

std::optional<std::string> S3Request::field(std::string_view wanted) const {
  auto rest = head;
  while (!rest.empty()) {
    const auto end = std::min(rest.find("\r\n"), rest.size());
    const auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 2, rest.size()));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !same_name(line.substr(0, colon), wanted)) continue;
    const auto begin = std::min(line.find_first_not_of(' ', colon + 1), line.size());
    return std::string(line.substr(begin));
  }
  return std::nullopt;
}

S3Request parse_request(std::string_view head) {
  S3Request request;
  request.head = head;
  request.method = head.substr(0, head.find(' '));
  head.remove_prefix(std::min(request.method.size() + 1, head.size()));
  auto target = head.substr(0, head.find(' '));
  const auto mark = target.find('?');
  auto query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  auto path = target.substr(0, mark);
  if (path.starts_with('/')) path.remove_prefix(1);
  request.name = decoded(path);
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const auto equals = std::min(pair.find('='), pair.size());
    request.query[std::string(pair.substr(0, equals))] =
        decoded(pair.substr(std::min(equals + 1, pair.size())));
  }
  const auto length = request.field("content-length").value_or("0");
  request.size = number_of(request.field("x-amz-decoded-content-length").value_or(length));
  return request;
}

NullObjects::Operation NullObjects::operation_of(const S3Request& request) {
  const auto& [method, query] = std::tie(request.method, request.query);
  const bool has_key = !split(request.name).second.empty();
  const bool is_multipart = query.contains("uploadId");
  if (method == "PUT" && has_key) {
    if (!is_multipart) return Operation::put;
    return request.field("x-amz-copy-source") ? Operation::copy_part : Operation::upload_part;
  }
  if (method == "GET" && has_key) return is_multipart ? Operation::list_parts : Operation::get;
  if (method == "HEAD" && has_key) return Operation::head;
  if (method == "DELETE" && has_key) return is_multipart ? Operation::abort : Operation::remove;
  if (method == "POST" && query.contains("uploads")) return Operation::create_multipart;
  if (method == "POST" && is_multipart) return Operation::complete;
  if (method == "GET" && !query.contains("uploads")) return Operation::list;
  return Operation::other;
}

S3Reply NullObjects::handle(const S3Request& request) {
  if (request.name.starts_with("-/")) return control(request);
  const auto operation = operation_of(request);
  auto reply = answer(operation, request);
  auto& counts = counts_[static_cast<std::size_t>(operation)];
  counts.requests += 1;
  counts.received += request.size;
  if (operation != Operation::head) counts.sent += reply.body.size() + reply.zeros;
  return reply;
}

// "GET /-/counts" tells what was asked so far, "POST /-/counts" and forgets it.
S3Reply NullObjects::control(const S3Request& request) {
  S3Reply reply;
  reply.fields = "Content-Type: application/json\r\n";
  for (std::size_t i = 0; i < operations; ++i) {
    auto& counts = counts_[i];
    reply.body += std::string(reply.body.empty() ? "{" : ",") + "\"" + operation_names[i] +
                  "\":{\"requests\":" + std::to_string(counts.requests) +
                  ",\"received\":" + std::to_string(counts.received) +
                  ",\"sent\":" + std::to_string(counts.sent) + "}";
    if (request.method == "POST") counts.requests = counts.received = counts.sent = 0;
  }
  reply.body += "}\n";
  return reply;
}

S3Reply NullObjects::answer(Operation operation, const S3Request& request) {
  const std::lock_guard lock(mutex_);
  switch (operation) {
    case Operation::put:
      return put(request);
    case Operation::get:
    case Operation::head:
      return get(request);
    case Operation::create_multipart:
      return create(request);
    case Operation::upload_part:
      return part(request);
    case Operation::copy_part:
      return copy(request);
    case Operation::list_parts:
      return list_parts(request);
    case Operation::complete:
      return complete(request);
    case Operation::list:
      return list(request);
    case Operation::remove:
      objects_.erase(request.name);
      return {204, "", "", 0};
    case Operation::abort:
      multiparts_.erase(request.query.at("uploadId"));
      return {204, "", "", 0};
    case Operation::other:
      break;
  }
  if (request.query.contains("uploads")) {
    return xml("ListMultipartUploadsResult", element("IsTruncated", "false"));
  }
  return {};  // of a bucket: it is there
}

std::string NullObjects::next_etag() {
  std::array<char, 40> text{};
  (void)std::snprintf(text.data(), text.size(), "\"%032llx\"",
                      static_cast<unsigned long long>(++made_));
  return text.data();
}

S3Reply NullObjects::put(const S3Request& request) {
  const auto old = objects_.find(request.name);
  const auto wanted = request.field("if-match");
  if (wanted && (old == objects_.end() || old->second.etag != *wanted)) {
    return error(old == objects_.end() ? 404 : 412, "PreconditionFailed");
  }
  if (request.field("if-none-match") && old != objects_.end()) {
    return error(412, "PreconditionFailed");
  }
  auto etag = next_etag();
  objects_[request.name] = {request.size, etag, fields_to_keep(request.head), request.body};
  return {200, "ETag: " + etag + "\r\n", "", 0};
}

S3Reply NullObjects::get(const S3Request& request) {
  const auto it = objects_.find(request.name);
  if (it == objects_.end()) return error(404, "NoSuchKey");
  const auto& object = it->second;
  S3Reply reply;
  reply.fields = "ETag: " + object.etag + "\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n" +
                 "Accept-Ranges: bytes\r\n" + object.fields;
  if (request.field("if-none-match") == object.etag) {
    reply.status = 304;
    return reply;
  }
  std::uint64_t first = 0;
  auto end = object.size;
  if (const auto range = request.field("range"); range && range->starts_with("bytes=")) {
    const auto dash = range->find('-');
    first = number_of(std::string_view(*range).substr(6));
    if (dash + 1 < range->size()) {
      end = std::min(end, number_of(std::string_view(*range).substr(dash + 1)) + 1);
    }
    if (first >= object.size) return error(416, "InvalidRange");
    reply.status = 206;
    reply.fields += "Content-Range: bytes " + std::to_string(first) + "-" +
                    std::to_string(end - 1) + "/" + std::to_string(object.size) + "\r\n";
  }
  if (object.bytes.size() == object.size) {
    reply.body = object.bytes.substr(first, end - first);
  } else {
    reply.zeros = end - first;
  }
  return reply;
}

S3Reply NullObjects::create(const S3Request& request) {
  const auto id = "null" + std::to_string(++made_);
  multiparts_[id] = {request.name, fields_to_keep(request.head), {}};
  const auto [bucket, key] = split(request.name);
  return xml("InitiateMultipartUploadResult",
             element("Bucket", bucket) + element("Key", key) + element("UploadId", id));
}

S3Reply NullObjects::part(const S3Request& request) {
  const auto it = multiparts_.find(request.query.at("uploadId"));
  if (it == multiparts_.end()) return error(404, "NoSuchUpload");
  const auto number = static_cast<int>(number_of(request.query.at("partNumber")));
  auto etag = next_etag();
  it->second.parts[number] = {request.size, etag, "", ""};
  return {200, "ETag: " + etag + "\r\n", "", 0};
}

S3Reply NullObjects::copy(const S3Request& request) {
  const auto it = multiparts_.find(request.query.at("uploadId"));
  if (it == multiparts_.end()) return error(404, "NoSuchUpload");
  auto source = decoded(*request.field("x-amz-copy-source"));
  if (source.starts_with('/')) source.erase(0, 1);
  const auto from = objects_.find(source);
  if (from == objects_.end()) return error(404, "NoSuchKey");
  auto size = from->second.size;
  if (const auto range = request.field("x-amz-copy-source-range")) {
    const auto first = number_of(std::string_view(*range).substr(6));
    size = number_of(std::string_view(*range).substr(range->find('-') + 1)) + 1 - first;
  }
  auto etag = next_etag();
  it->second.parts[static_cast<int>(number_of(request.query.at("partNumber")))] = {size, etag, "",
                                                                                   ""};
  return xml("CopyPartResult", element("ETag", etag) + element("LastModified", date));
}

S3Reply NullObjects::list_parts(const S3Request& request) {
  const auto it = multiparts_.find(request.query.at("uploadId"));
  if (it == multiparts_.end()) return error(404, "NoSuchUpload");
  const auto marker = request.query.find("part-number-marker");
  const auto after =
      marker == request.query.end() ? 0 : static_cast<int>(number_of(marker->second));
  std::string content;
  std::size_t count = 0;
  int last = 0;
  bool at_end = true;
  for (const auto& [number, part] : it->second.parts) {
    if (number <= after) continue;
    if (count++ == page_size) {
      at_end = false;
      break;
    }
    last = number;
    content += "<Part>" + element("PartNumber", std::to_string(number)) +
               element("LastModified", date) + element("ETag", part.etag) +
               element("Size", std::to_string(part.size)) + "</Part>";
  }
  return xml("ListPartsResult", element("IsTruncated", at_end ? "false" : "true") +
                                    element("NextPartNumberMarker", std::to_string(last)) +
                                    content);
}

S3Reply NullObjects::complete(const S3Request& request) {
  const auto it = multiparts_.find(request.query.at("uploadId"));
  if (it == multiparts_.end()) return error(404, "NoSuchUpload");
  std::uint64_t size = 0;
  for (const auto& [number, part] : it->second.parts) size += part.size;
  auto etag = next_etag();
  const auto [bucket, key] = split(request.name);
  objects_[request.name] = {size, etag, it->second.fields, ""};
  multiparts_.erase(it);
  return xml("CompleteMultipartUploadResult",
             element("Bucket", bucket) + element("Key", key) + element("ETag", etag));
}

S3Reply NullObjects::list(const S3Request& request) {
  const auto value = [&](const char* name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? std::string() : found->second;
  };
  const auto bucket = split(request.name).first + "/";
  const auto prefix = bucket + value("prefix");
  const auto after = bucket + std::max(value("start-after"), value("continuation-token"));
  std::string content;
  std::string last;
  std::size_t count = 0;
  bool at_end = true;
  for (auto it = objects_.lower_bound(prefix); it != objects_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    if (it->first <= after) continue;
    if (count++ == page_size) {
      at_end = false;
      break;
    }
    last = split(it->first).second;
    content += "<Contents>" + element("Key", last) + element("LastModified", date) +
               element("ETag", it->second.etag) + element("Size", std::to_string(it->second.size)) +
               "</Contents>";
  }
  return xml("ListBucketResult", element("IsTruncated", at_end ? "false" : "true") +
                                     element("NextContinuationToken", last) + content);
}

}  // namespace bench
