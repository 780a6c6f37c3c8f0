#include "stores/s3/client/calls.h"

#include "async/event.h"
#include "base/ascii.h"
#include "base/digits.h"
#include "digest/crc32c.h"
#include "protocol/header_values.h"
#include "protocol/http_date.h"
#include "stores/s3/client/sigv4.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <random>

namespace tus::s3 {

namespace {

constexpr std::string_view hash_of_nothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// Copied into the request, so that head and body go out together.
constexpr std::uint64_t small_payload = std::uint64_t{32} << 10;

// Sums of more than this would hold up the event loop.
constexpr std::size_t summed_at_once = std::size_t{1} << 20;

// Below that a link is not used for uploads; an attempt has that much time for its body.
constexpr std::uint64_t slowest_link = std::uint64_t{128} << 10;  // bytes a second

// The answers of S3 to a difference of less than this are not about clocks.
constexpr std::int64_t clock_difference = 60;

std::string field(const net::HttpReply& reply, std::string_view name) {
  const auto* value = reply.fields.find(name);
  return value == nullptr ? std::string() : *value;
}

bool is_html(const net::HttpReply& reply) {
  const auto type = field(reply, "Content-Type");
  return base::equals_ignoring_case(std::string_view(type).substr(0, 9), "text/html");
}

std::uint64_t size_of_body(const Call& call) {
  return call.payload != nullptr ? call.payload->size() : call.body.size();
}

std::string place_of(const Call& call) {
  return std::string(name_of(call.operation)) + " " + call.bucket +
         (call.key.empty() ? "" : "/" + call.key);
}

std::string detail_of(const Call& call, const CallFailure& failure) {
  auto text = place_of(call) + ": ";
  if (failure.status == 0) return text + failure.transport;
  text += std::to_string(failure.status);
  if (!failure.error.code.empty()) text += " " + failure.error.code;
  if (!failure.error.message.empty()) text += ", " + failure.error.message;
  if (!failure.error.region.empty()) text += ", region " + failure.error.region;
  if (!failure.error.request_id.empty()) text += ", request id " + failure.error.request_id;
  return text;
}

// What the body of an error says; without one, the fields.
void read_error(const net::HttpReply& reply, CallFailure& failure) {
  if (!reply.body.empty()) {
    auto error = parse_error(reply.body);
    if (error) {
      failure.error = *std::move(error);
    } else {
      failure.is_s3 = false;
      failure.error.message = error.error();
    }
  } else if (is_html(reply)) {
    failure.is_s3 = false;
    failure.error.message = "this is an HTML page and not an answer of S3";
  }
  auto id = field(reply, "x-amz-request-id");
  if (!id.empty()) failure.error.request_id = std::move(id);
  auto region = field(reply, "x-amz-bucket-region");
  if (failure.error.region.empty()) failure.error.region = std::move(region);
}

// A request that may have been carried out although its answer is not here.
bool may_have_been_done(const CallFailure& failure) {
  if (failure.status != 0) return failure.status < 300 || failure.status >= 500;
  const std::string_view why = failure.transport;
  return !failure.no_keys && !why.starts_with("cannot connect") &&
         !why.starts_with("no such host") && !why.starts_with("TLS");
}

std::chrono::seconds retry_after(const net::HttpReply& reply) {
  const auto seconds = parse_number(field(reply, "Retry-After"));
  return std::chrono::seconds(std::min<std::uint64_t>(seconds.value_or(0), 60));
}

}  // namespace

struct Calls::Attempt {
  std::optional<net::HttpReply> reply;  // a good one
  CallFailure failure;                  // else
  Again again = Again::never;
  std::chrono::seconds not_before{0};
  std::uint64_t received = 0;
};

Calls::Calls(ClientOptions options, Endpoint endpoint, ClientParts parts)
    : options_(std::move(options)),
      endpoint_(std::move(endpoint)),
      parts_(std::move(parts)),
      object_checksums_(options_.checksums),
      // AWS refuses them unless the multipart upload was created for them, and then refuses what Go's tusd
      // sends when it takes an upload over.
      part_checksums_(options_.checksums && !endpoint_.is_aws()) {}

Awaitable<std::expected<net::HttpReply, CallFailure>> Calls::send(Call call, Deadline deadline) {
  CallReport made;
  const auto start = parts_.clock->now();
  auto answer = co_await repeat(call, deadline, made);
  made.duration = parts_.clock->now() - start;
  if (!answer) made.trouble = answer.error().failure.trouble;
  report(call, made);
  co_return answer;
}

void Calls::report(const Call& call, const CallReport& report) const noexcept {
  if (!parts_.observer) return;
  auto full = report;
  full.operation = call.operation;
  full.key = call.key;
  parts_.observer->on_call(full);
}

Awaitable<std::expected<net::HttpReply, CallFailure>> Calls::repeat(const Call& call,
                                                                    Deadline deadline,
                                                                    CallReport& report) {
  auto sums = co_await sums_of(call);
  bool clock_taken = false;
  bool keys_changed = false;
  bool lost = false;
  const auto begun = std::chrono::steady_clock::now();
  const auto last_start = size_of_body(call) > small_payload
                              ? deadline.sooner(Deadline::after(begun, options_.patience))
                              : deadline;
  const auto most = call.attempts > 0 ? call.attempts : options_.attempts;
  for (int number = 1;; ++number) {
    const auto start = parts_.clock->now();
    auto made = co_await attempt(call, sums, deadline);
    const auto end = parts_.clock->now();
    report.attempts = number;
    report.bytes_sent += size_of_body(call);
    report.bytes_received += made.received;
    log_attempt(call, number, made.reply ? &*made.reply : nullptr, made.failure, end - start);
    if (made.reply) co_return *std::move(made.reply);

    auto& failure = made.failure;
    if (!sums.crc32c.empty() &&
        is_about_checksum(failure.status, failure.error.code, failure.error.message)) {
      checksum_switch(call) = false;
      sums.crc32c.clear();
      continue;
    }
    const bool at_once =
        (made.again == Again::with_its_clock && !std::exchange(clock_taken, true)) ||
        (made.again == Again::with_other_keys && !std::exchange(keys_changed, true));
    if (at_once) continue;
    if (lost && failure.failure.trouble == Trouble::changed && failure.status == 412) {
      failure.failure = Failure(Trouble::unavailable,
                                failure.failure.detail + "; an earlier attempt may have done it");
      co_return std::unexpected(std::move(failure));
    }
    lost = lost || may_have_been_done(failure);
    const auto pause = std::max<std::chrono::milliseconds>(pause_before(number), made.not_before);
    const auto next = Deadline::after(std::chrono::steady_clock::now(), pause);
    if (made.again != Again::later || number >= most || last_start.passed(next.when())) {
      failure.failure.detail += ", after attempt " + std::to_string(number);
      co_return std::unexpected(std::move(failure));
    }
    co_await sleep_until(next);
  }
}

Awaitable<Calls::Attempt> Calls::attempt(const Call& call, const PayloadSums& sums,
                                         Deadline deadline) {
  const auto until = attempt_deadline(call, deadline);
  Attempt made;
  auto ready = co_await sign(call, sums, until);
  if (!ready) {
    made.failure = std::move(ready.error());
    if (made.failure.failure.trouble == Trouble::unavailable) made.again = Again::later;
    co_return made;
  }
  auto sent = *std::move(ready);
  auto& request = sent.request;
  if (call.payload == nullptr) {
    request.body = call.body;
  } else if (call.payload->size() <= small_payload) {
    for (const auto& piece : call.payload->pieces)
      request.body.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  } else {
    request.pieces = call.payload->pieces;
  }
  auto reply = co_await exchange(call, std::move(request), until);
  if (!reply) {
    made.failure = no_reply(call, reply.error());
    const bool may_help = reply.error() == ErrorCode::store_unavailable &&
                          made.failure.failure.trouble == Trouble::unavailable;
    made.again = may_help ? Again::later : Again::never;
    co_return made;
  }
  made.received = reply->body.size();
  auto failure = judge_reply(call, *reply, sent);
  if (!failure) {
    made.reply = *std::move(reply);
    co_return made;
  }
  made.failure = *std::move(failure);
  made.not_before = retry_after(*reply);
  made.again =
      made.failure.is_s3 ? judge(reply->status, made.failure.error.code).again : Again::later;
  co_return made;
}

Awaitable<Result<net::HttpReply>> Calls::exchange(const Call& call, net::HttpRequest request,
                                                  Deadline deadline) {
  if (call.stream == nullptr) co_return co_await parts_.http->send(std::move(request), deadline);
  const auto limit = request.reply_limit;
  auto* client = parts_.downloads != nullptr ? parts_.downloads : parts_.http;
  auto http = client->open(std::move(request), std::nullopt);
  const auto until =
      deadline.sooner(Deadline::after(std::chrono::steady_clock::now(), stall_of(call)));
  auto head = co_await http->head(until);
  if (!head) co_return fail(head.error());
  if (head->status >= 300) co_return co_await read_whole(*http, *std::move(head), limit, until);
  net::HttpReply reply;
  reply.status = head->status;
  reply.fields = std::move(head->fields);
  *call.stream = std::move(http);
  co_return reply;
}

std::optional<CallFailure> Calls::judge_reply(const Call& call, const net::HttpReply& reply,
                                              const Signed& sent) {
  CallFailure failure;
  failure.status = reply.status;
  auto verdict = Verdict{Trouble::unavailable, Again::later};
  if (reply.status >= 200 && reply.status < 300) {
    auto problem = call.read ? call.read(reply) : std::string();
    if (problem.empty()) return std::nullopt;
    if (auto error = error_within(reply.body)) {
      failure.error = *std::move(error);
      verdict = judge(reply.status, failure.error.code);
    } else {
      failure.is_s3 = false;
      failure.error.message = std::move(problem);
    }
    if (failure.error.request_id.empty())
      failure.error.request_id = field(reply, "x-amz-request-id");
  } else {
    read_error(reply, failure);
    if (failure.is_s3) verdict = judge(reply.status, failure.error.code);
  }
  if (verdict.again == Again::with_its_clock) (void)take_clock_of(reply);
  if (verdict.again == Again::with_other_keys) parts_.credentials->rejected(sent.credentials);
  failure.failure = Failure(verdict.trouble, detail_of(call, failure));
  return failure;
}

CallFailure Calls::no_reply(const Call& call, const Error& error) const {
  CallFailure failure;
  failure.transport = error.detail().empty() ? "the HTTP client is closed" : error.detail();
  auto trouble = Trouble::unavailable;
  if (error == ErrorCode::internal) trouble = Trouble::refused;
  if (failure.transport.starts_with("too large: the reply's body")) trouble = Trouble::too_large;
  failure.failure = Failure(trouble, detail_of(call, failure));
  return failure;
}

Awaitable<net::HttpReply> read_whole(net::HttpCall& call, net::HttpHead head, std::size_t limit,
                                     Deadline deadline) {
  net::HttpReply reply;
  reply.status = head.status;
  reply.fields = std::move(head.fields);
  std::array<std::byte, 4096> buffer{};
  while (reply.body.size() < limit) {
    const auto got = co_await call.read(buffer, deadline);
    if (!got || *got == 0) break;
    reply.body.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
  co_return reply;
}

// ---- a request ----

Awaitable<std::expected<Calls::Signed, CallFailure>> Calls::sign(const Call& call,
                                                                 const PayloadSums& sums,
                                                                 Deadline deadline) {
  auto credentials = co_await parts_.credentials->get(deadline);
  if (!credentials) {
    CallFailure failure;
    failure.no_keys = true;
    failure.transport = credentials.error().detail;
    failure.failure = Failure(credentials.error().trouble, detail_of(call, failure));
    co_return std::unexpected(std::move(failure));
  }
  const auto& keys = **credentials;
  const auto time = now();
  const auto target = endpoint_.target(call.bucket, call.key);
  ToSign to_sign{.method = call.method,
                 .path = target.path,
                 .query = call.query,
                 .headers = call.headers,
                 .payload_hash = sums.hash};
  auto& headers = to_sign.headers;
  headers.emplace_back("host", target.host);
  headers.emplace_back("x-amz-date", amz_date(time));
  headers.emplace_back("x-amz-content-sha256", sums.hash);
  if (!keys.token.empty()) headers.emplace_back("x-amz-security-token", keys.token);
  if (!sums.crc32c.empty()) headers.emplace_back("x-amz-checksum-crc32c", sums.crc32c);
  const auto& region = options_.endpoint.region;
  const Scope scope{.time = time,
                    .region = region.empty() ? "us-east-1" : std::string_view(region)};

  Signed made;
  made.credentials = *std::move(credentials);
  auto& request = made.request;
  request.method = call.method;
  request.url = endpoint_.url(target, encode_query(call.query));
  request.fields.reserve(headers.size() + 1);
  auto signature = authorization(to_sign, scope, {keys.key_id, keys.secret});
  for (auto& [name, value] : headers) request.fields.add(std::move(name), std::move(value));
  request.fields.add("authorization", std::move(signature));
  request.reply_limit = call.reply_limit;
  request.stall = stall_of(call);
  co_return made;
}

Deadline Calls::attempt_deadline(const Call& call, Deadline deadline) const {
  if (call.pace == Pace::slow) return deadline;
  const auto for_body = std::chrono::seconds(size_of_body(call) / slowest_link);
  return deadline.sooner(
      Deadline::after(std::chrono::steady_clock::now(), options_.attempt_timeout + for_body));
}

std::chrono::seconds Calls::stall_of(const Call& call) const {
  return call.pace == Pace::slow ? options_.stall * 4 : options_.stall;
}

std::chrono::sys_seconds Calls::now() const {
  return std::chrono::floor<std::chrono::seconds>(parts_.clock->wall()) +
         std::chrono::seconds(clock_offset_.load(std::memory_order_relaxed));
}

// True when it differs from what we went by.
bool Calls::take_clock_of(const net::HttpReply& reply) {
  const auto date = protocol::parse_http_date(field(reply, "Date"));
  if (!date) return false;
  const auto ours = std::chrono::floor<std::chrono::seconds>(parts_.clock->wall());
  const auto offset = (*date - ours).count();
  const auto before = clock_offset_.exchange(offset);
  if (std::abs(offset - before) < clock_difference) return false;
  const base::Digits seconds(static_cast<std::uint64_t>(std::abs(offset)));
  parts_.logger->log(
      LogLevel::warn, "S3ClockDiffers",
      {{"seconds", seconds.view(), LogKind::number},
       {"s3_is", offset > 0 ? "ahead" : "behind"},
       {"hint", "requests are signed with the time of S3; set the clock of this machine"}});
  return true;
}

// ---- sums ----

std::atomic<bool>& Calls::checksum_switch(const Call& call) noexcept {
  return call.operation == Operation::upload_part ? part_checksums_ : object_checksums_;
}

bool Calls::wants_checksum(const Call& call) const noexcept {
  return call.operation == Operation::upload_part ? part_checksums_ : object_checksums_;
}

Awaitable<PayloadSums> Calls::sums_of(const Call& call) const {
  PayloadSums sums;
  if (call.payload == nullptr) {
    sums.hash = call.body.empty() ? std::string(hash_of_nothing) : sha256_hex(call.body);
    co_return sums;
  }
  const bool hashed = !endpoint_.is_https() && !options_.disable_content_hashes;
  if (!hashed) sums.hash = unsigned_payload;
  if (!hashed && !wants_checksum(call)) co_return sums;

  Sha256 sha;
  std::uint32_t crc = 0;
  std::size_t since_pause = 0;
  for (auto rest : call.payload->pieces) {
    while (!rest.empty()) {
      const auto slice = rest.first(std::min(rest.size(), summed_at_once));
      if (hashed) {
        sha.update(slice);
      } else {
        crc = digest::crc32c(crc, slice);
      }
      rest = rest.subspan(slice.size());
      since_pause += slice.size();
      if (since_pause < summed_at_once) continue;
      since_pause = 0;
      co_await asio::post(asio::use_awaitable);
    }
  }
  if (hashed) {
    sums.hash = sha.finish();
    co_return sums;
  }
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(crc >> shift & 0xff);
  sums.crc32c = protocol::encode_base64(bytes);
  co_return sums;
}

// ---- again ----

// Full jitter: many callers that were turned away together do not come back together.
std::chrono::milliseconds Calls::pause_before(int attempt) const {
  const auto factor = std::int64_t{1} << std::min(attempt - 1, 16);
  const auto most = std::min(options_.first_pause * factor, options_.longest_pause);
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>(0, most.count())(random));
}

void Calls::log_attempt(const Call& call, int number, const net::HttpReply* reply,
                        const CallFailure& failure, std::chrono::nanoseconds took) const noexcept {
  const auto trouble = failure.failure.trouble;
  const bool is_news = reply == nullptr && !failure.given_up && trouble != Trouble::missing &&
                       trouble != Trouble::changed;
  if (!is_news && !options_.log_api_calls) return;
  const auto level = is_news ? LogLevel::warn : LogLevel::info;
  if (!parts_.logger->enabled(level)) return;
  const auto* id = reply != nullptr ? reply->fields.find("x-amz-request-id") : nullptr;
  const auto status = reply != nullptr ? reply->status : failure.status;
  const base::Digits attempts(static_cast<std::uint64_t>(number));
  const base::Digits code(static_cast<std::uint64_t>(status));
  const base::Digits milliseconds(static_cast<std::uint64_t>(took.count()) / 1'000'000);
  parts_.logger->log(
      level, is_news ? "S3CallFailed" : "S3Call",
      {{"operation", name_of(call.operation)},
       {"bucket", call.bucket},
       {"key", call.key},
       {"attempt", attempts.view(), LogKind::number},
       {"status", code.view(), LogKind::number},
       {"ms", milliseconds.view(), LogKind::number},
       {"request_id", id != nullptr ? *id : failure.error.request_id},
       {"error", is_news || failure.given_up ? failure.failure.detail : std::string()}});
}

}  // namespace tus::s3
