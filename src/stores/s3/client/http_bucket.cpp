#include "stores/s3/client/http_bucket.h"

#include "base/ascii.h"
#include "stores/s3/client/object_head.h"
#include "stores/s3/client/text.h"
#include "stores/s3/client/xml.h"

#include <algorithm>

namespace tus::s3 {

namespace {

constexpr std::size_t page_limit = std::size_t{16}
                                   << 20;  // 1,000 encoded keys of 1,024 bytes are 3 MiB
constexpr std::size_t error_limit = std::size_t{64}
                                    << 10;  // an error needs room where a small object does not
constexpr int attempts_before_a_look = 3;   // at what there is to complete
constexpr int most_rounds = 4;
constexpr std::string_view page_size = "1000";

std::unexpected<Failure> failed(CallFailure& failure) {
  return std::unexpected(std::move(failure.failure));
}

// For Call::read: what was parsed goes into `out`, or the reason why not is returned.
template <class T>
std::string take(Parsed<T> parsed, T& out) {
  if (!parsed) return std::move(parsed.error());
  out = *std::move(parsed);
  return {};
}

// Of DELETE: nothing, or whatever S3 says in XML; a page of a proxy's is no success.
std::string expect_no_page(const net::HttpReply& reply) {
  if (reply.status == 204 || reply.body.empty()) return {};
  return "a body was not expected here";
}

std::string range_of(ByteRange range) {
  return "bytes=" + std::to_string(range.first) + "-" +
         std::to_string(range.first + range.count - 1);
}

std::string unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"'))
    etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

Call part_call(Operation operation, const MultipartName& upload, std::uint32_t number) {
  Call call(operation, "PUT", upload.name);
  call.query = {{"partNumber", std::to_string(number)}, {"uploadId", upload.upload}};
  return call;
}

std::optional<Failure> check_value(const Call& call, std::string_view name,
                                   std::string_view value) {
  if (is_printable_ascii(value)) return std::nullopt;
  return Failure(Trouble::refused, std::string(name_of(call.operation)) + " " + call.key +
                                       ": the value of " + std::string(name) +
                                       " is not printable ASCII");
}

}  // namespace

HttpBucket::HttpBucket(ClientOptions options, Endpoint endpoint, ClientParts parts)
    : calls_(std::move(options), std::move(endpoint), std::move(parts)) {}

std::expected<std::unique_ptr<HttpBucket>, std::string> HttpBucket::make(ClientOptions options,
                                                                         ClientParts parts) {
  auto endpoint = Endpoint::make(options.endpoint);
  if (!endpoint) return std::unexpected(endpoint.error());
  return std::unique_ptr<HttpBucket>(
      new HttpBucket(std::move(options), *std::move(endpoint), std::move(parts)));
}

std::optional<Failure> HttpBucket::add_headers(Call& call, const ObjectHeaders& headers) const {
  const auto add = [&call](std::string name, const std::string& value) -> std::optional<Failure> {
    if (value.empty()) return std::nullopt;
    if (auto unfit = check_value(call, name, value)) return unfit;
    call.headers.emplace_back(std::move(name), value);
    return std::nullopt;
  };
  if (auto unfit = add("content-type", headers.content_type)) return unfit;
  if (auto unfit = add("content-disposition", headers.content_disposition)) return unfit;
  if (auto unfit = add("cache-control", headers.cache_control)) return unfit;
  if (auto unfit = add("x-amz-storage-class", headers.storage_class)) return unfit;
  for (const auto& [name, value] : headers.metadata) {
    std::string field = "x-amz-meta-";
    std::ranges::transform(name, std::back_inserter(field), base::to_lower);
    if (auto unfit = check_value(call, field, value)) return unfit;
    call.headers.emplace_back(std::move(field), value);
  }
  const auto& options = calls_.options();
  if (options.encryption == Encryption::sse_s3)
    call.headers.emplace_back("x-amz-server-side-encryption", "AES256");
  if (options.encryption == Encryption::sse_kms) {
    call.headers.emplace_back("x-amz-server-side-encryption", "aws:kms");
    if (auto unfit = add("x-amz-server-side-encryption-aws-kms-key-id", options.kms_key))
      return unfit;
  }
  return std::nullopt;
}

// ---- objects ----

Awaitable<Answer<ObjectLook>> HttpBucket::head_object(ObjectName name, Deadline deadline) {
  Call call(Operation::head_object, "HEAD", name);
  ObjectLook look;
  call.read = [&look](const net::HttpReply& reply) { return take(read_look(reply), look); };
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply) co_return failed(reply.error());
  co_return look;
}

Awaitable<Answer<std::optional<SmallObject>>> HttpBucket::get_object(ObjectName name,
                                                                     std::size_t limit,
                                                                     std::string unless,
                                                                     Deadline deadline) {
  Call call(Operation::get_object, "GET", name);
  call.reply_limit = std::max(limit, error_limit);
  if (!unless.empty()) call.headers.emplace_back("if-none-match", unless);
  SmallObject object;
  call.read = [&object](const net::HttpReply& reply) {
    return take(read_look(reply), object.look);
  };
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply) {
    if (reply.error().status == 304) co_return std::nullopt;
    co_return failed(reply.error());
  }
  if (reply->body.size() > limit)
    co_return trouble(Trouble::too_large, "GetObject " + name.bucket + "/" + name.key +
                                              ": it has " + std::to_string(reply->body.size()) +
                                              " bytes");
  object.bytes = std::move(reply->body);
  co_return object;
}

Awaitable<Answer<std::string>> HttpBucket::put_object(ObjectName name, Payload payload,
                                                      ObjectHeaders headers, Condition condition,
                                                      Deadline deadline) {
  Call call(Operation::put_object, "PUT", name);
  call.payload = &payload;
  if (auto unfit = add_headers(call, headers)) co_return std::unexpected(*std::move(unfit));
  std::string etag;
  call.read = [&etag](const net::HttpReply& reply) { return take(read_etag(reply), etag); };
  if (condition.if_absent) call.headers.emplace_back("if-none-match", "*");
  if (condition.if_match) {
    const bool bare = bare_if_match_;
    auto first = call;
    first.headers.emplace_back("if-match",
                               bare ? unquoted(*condition.if_match) : *condition.if_match);
    auto reply = co_await calls_.send(std::move(first), deadline);
    if (reply) co_return etag;
    if (bare || reply.error().status != 412 || reply.error().failure.trouble != Trouble::changed)
      co_return failed(reply.error());
    // Ceph compares with the quotes that an etag has, and then nothing ever matches.
    call.headers.emplace_back("if-match", unquoted(*condition.if_match));
  }
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply) co_return failed(reply.error());
  if (condition.if_match) bare_if_match_ = true;
  co_return etag;
}

Awaitable<Answer<void>> HttpBucket::delete_object(ObjectName name, Deadline deadline) {
  Call call(Operation::delete_object, "DELETE", name);
  call.read = expect_no_page;
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply && reply.error().failure.trouble != Trouble::missing) co_return failed(reply.error());
  co_return Answer<void>();
}

// ---- multipart uploads ----

Awaitable<Answer<std::string>> HttpBucket::create_multipart(ObjectName name, ObjectHeaders headers,
                                                            Deadline deadline) {
  Call call(Operation::create_multipart_upload, "POST", name);
  call.query = {{"uploads", ""}};
  if (auto unfit = add_headers(call, headers)) co_return std::unexpected(*std::move(unfit));
  std::string id;
  call.read = [&id](const net::HttpReply& reply) { return take(parse_initiated(reply.body), id); };
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply) co_return failed(reply.error());
  co_return id;
}

Awaitable<Answer<std::string>> HttpBucket::put_part(MultipartName upload, std::uint32_t number,
                                                    Payload payload, Deadline deadline) {
  auto call = part_call(Operation::upload_part, upload, number);
  call.payload = &payload;
  std::string etag;
  call.read = [&etag](const net::HttpReply& reply) { return take(read_etag(reply), etag); };
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply) co_return failed(reply.error());
  co_return etag;
}

Awaitable<Answer<std::string>> HttpBucket::copy_part(MultipartName upload, std::uint32_t number,
                                                     ObjectName from, ByteRange range,
                                                     Deadline deadline) {
  auto call = part_call(Operation::upload_part_copy, upload, number);
  call.pace = Pace::slow;
  call.headers.emplace_back("x-amz-copy-source", encode(from.bucket) + "/" + encode_path(from.key));
  call.headers.emplace_back("x-amz-copy-source-range", range_of(range));
  std::string etag;
  call.read = [&etag](const net::HttpReply& reply) {
    return take(parse_copied_part(reply.body), etag);
  };
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply) co_return failed(reply.error());
  co_return etag;
}

Awaitable<Answer<PartPage>> HttpBucket::list_parts(MultipartName upload, std::uint32_t after,
                                                   Deadline deadline) {
  Call call(Operation::list_parts, "GET", upload.name);
  call.query = {{"max-parts", std::string(page_size)}, {"uploadId", upload.upload}};
  if (after > 0) call.query.emplace_back("part-number-marker", std::to_string(after));
  call.reply_limit = page_limit;
  PartPage page;
  call.read = [&page](const net::HttpReply& reply) { return take(parse_parts(reply.body), page); };
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply) co_return failed(reply.error());
  co_return page;
}

Awaitable<Answer<void>> HttpBucket::complete_multipart(MultipartName upload,
                                                       std::vector<PartTag> parts,
                                                       Deadline deadline) {
  Call call(Operation::complete_multipart_upload, "POST", upload.name);
  call.query = {{"uploadId", upload.upload}};
  call.headers.emplace_back("content-type", "application/xml");
  call.body = complete_request(parts);
  call.pace = Pace::slow;
  call.read = [](const net::HttpReply& reply) {
    const auto done = parse_completed(reply.body);
    return done ? std::string() : done.error();
  };
  call.attempts = attempts_before_a_look;
  for (int round = 1;; ++round) {
    auto reply = co_await calls_.send(call, deadline);
    if (reply) co_return Answer<void>();
    // Ceph answers 500 for ever when the multipart upload is gone.
    const bool may_be_gone = reply.error().status >= 500;
    if (!may_be_gone) co_return failed(reply.error());
    const auto look = co_await list_parts(upload, 0, deadline);
    if (!look && look.error().trouble == Trouble::missing) co_return std::unexpected(look.error());
    if (round == most_rounds || deadline.passed(std::chrono::steady_clock::now()))
      co_return failed(reply.error());
  }
}

Awaitable<Answer<void>> HttpBucket::abort_multipart(MultipartName upload, Deadline deadline) {
  Call call(Operation::abort_multipart_upload, "DELETE", upload.name);
  call.query = {{"uploadId", upload.upload}};
  call.read = expect_no_page;
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply && reply.error().failure.trouble != Trouble::missing) co_return failed(reply.error());
  co_return Answer<void>();
}

// ---- lists ----

Awaitable<Answer<ObjectPage>> HttpBucket::list_objects(std::string bucket, std::string prefix,
                                                       std::string after, Deadline deadline) {
  Call call(Operation::list_objects, "GET", ObjectName{std::move(bucket), {}});
  call.query = {{"list-type", "2"},
                {"encoding-type", "url"},
                {"max-keys", std::string(page_size)},
                {"prefix", std::move(prefix)}};
  if (!after.empty()) call.query.emplace_back("start-after", std::move(after));
  call.reply_limit = page_limit;
  ObjectPage page;
  call.read = [&page](const net::HttpReply& reply) {
    return take(parse_objects(reply.body), page);
  };
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply) co_return failed(reply.error());
  co_return page;
}

Awaitable<Answer<MultipartPage>> HttpBucket::list_multiparts(std::string bucket, std::string prefix,
                                                             std::string key_marker,
                                                             std::string upload_marker,
                                                             Deadline deadline) {
  Call call(Operation::list_multipart_uploads, "GET", ObjectName{std::move(bucket), {}});
  // Keys as they are: Ceph encodes those of uploads when it is asked to, but neither its markers, nor does it
  // say so.
  call.query = {
      {"uploads", ""}, {"max-uploads", std::string(page_size)}, {"prefix", std::move(prefix)}};
  if (!key_marker.empty()) call.query.emplace_back("key-marker", std::move(key_marker));
  if (!upload_marker.empty()) call.query.emplace_back("upload-id-marker", std::move(upload_marker));
  call.reply_limit = page_limit;
  MultipartPage page;
  call.read = [&page](const net::HttpReply& reply) {
    return take(parse_multiparts(reply.body), page);
  };
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply) co_return failed(reply.error());
  co_return page;
}

}  // namespace tus::s3
