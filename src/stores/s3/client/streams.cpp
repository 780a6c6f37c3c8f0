// What of Bucket is not held in memory: bodies that come while they are sent, and go while they are read.
#include "stores/s3/client/http_bucket.h"
#include "stores/s3/client/object_head.h"
#include "stores/s3/client/sigv4.h"

#include <algorithm>
#include <utility>

namespace tus::s3 {

namespace {

std::string range_of(ByteRange range) {
  return "bytes=" + std::to_string(range.first) + "-" +
         std::to_string(range.first + range.count - 1);
}

class HttpObjectStream final : public ObjectStream {
 public:
  HttpObjectStream(std::unique_ptr<net::HttpCall> call, ObjectLook look, std::uint64_t expected,
                   std::string place)
      : call_(std::move(call)), look_(std::move(look)), left_(expected), place_(std::move(place)) {}

  const ObjectLook& look() const noexcept override { return look_; }

  Awaitable<Answer<std::size_t>> read(std::span<std::byte> into, Deadline deadline) override {
    if (left_ == 0 || into.empty()) co_return std::size_t{0};
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_));
    const auto got = co_await call_->read(into.first(most), deadline);
    if (!got) co_return trouble(Trouble::unavailable, place_ + ": " + got.error().detail());
    if (*got == 0) co_return trouble(Trouble::unavailable, place_ + ": the object ended too early");
    left_ -= *got;
    co_return *got;
  }

 private:
  std::unique_ptr<net::HttpCall> call_;
  ObjectLook look_;
  std::uint64_t left_;
  std::string place_;
};

}  // namespace

// ---- a body that comes ----

Awaitable<Answer<std::string>> HttpBucket::stream_part(MultipartName upload, std::uint32_t number,
                                                       PartSource& source, Deadline deadline) {
  Call call(Operation::upload_part, "PUT", upload.name);
  call.query = {{"partNumber", std::to_string(number)}, {"uploadId", upload.upload}};
  std::string etag;
  call.read = [&etag](const net::HttpReply& reply) {
    auto read = read_etag(reply);
    if (!read) return read.error();
    etag = *std::move(read);
    return std::string();
  };
  CallReport report;
  report.attempts = 1;
  const auto start = calls_.parts().clock->now();
  auto reply = co_await send_stream(call, source, deadline, report);
  report.duration = calls_.parts().clock->now() - start;
  if (!reply && !reply.error().given_up) report.trouble = reply.error().failure.trouble;
  calls_.report(call, report);
  const auto failure = reply ? CallFailure() : reply.error();
  calls_.log_attempt(call, 1, reply ? &*reply : nullptr, failure, report.duration);
  if (!reply) co_return std::unexpected(std::move(reply.error().failure));
  co_return etag;
}

Awaitable<std::expected<net::HttpReply, CallFailure>> HttpBucket::send_stream(const Call& call,
                                                                              PartSource& source,
                                                                              Deadline deadline,
                                                                              CallReport& report) {
  const PayloadSums sums{.hash = std::string(unsigned_payload), .crc32c = {}};
  auto ready = co_await calls_.sign(call, sums, deadline);
  if (!ready) co_return std::unexpected(std::move(ready.error()));
  const auto size = source.size();
  auto http = calls_.parts().http->open(ready->request, size);
  std::optional<Error> broken;
  while (report.bytes_sent < size && !broken) {
    const auto bytes = co_await source.next();
    if (bytes.empty()) {
      CallFailure gone;
      gone.given_up = true;
      gone.failure =
          Failure(Trouble::unavailable, "UploadPart " + call.key + ": its bytes did not come");
      co_return std::unexpected(std::move(gone));
    }
    const auto most = std::min<std::uint64_t>(bytes.size(), size - report.bytes_sent);
    const auto written = co_await http->write(bytes.first(static_cast<std::size_t>(most)),
                                              stall_deadline(call, deadline));
    if (!written) broken = written.error();
    report.bytes_sent += most;
  }
  const auto head = co_await http->head(stall_deadline(call, deadline));
  if (!head) co_return std::unexpected(calls_.no_reply(call, broken ? *broken : head.error()));
  auto reply = co_await read_whole(*http, *head, call.reply_limit, stall_deadline(call, deadline));
  report.bytes_received = reply.body.size();
  auto failure = calls_.judge_reply(call, reply, *ready);
  if (failure) co_return std::unexpected(*std::move(failure));
  co_return reply;
}

Deadline HttpBucket::stall_deadline(const Call& call, Deadline deadline) const {
  return deadline.sooner(Deadline::after(std::chrono::steady_clock::now(), calls_.stall_of(call)));
}

// ---- a body that goes ----

Awaitable<Answer<std::unique_ptr<ObjectStream>>> HttpBucket::open_object(
    ObjectName name, std::optional<ByteRange> range, Deadline deadline) {
  Call call(Operation::get_object, "GET", name);
  if (range) call.headers.emplace_back("range", range_of(*range));
  ObjectLook look;
  call.read = [&look, range](const net::HttpReply& reply) -> std::string {
    auto read = read_look(reply);
    if (!read) return read.error();
    if (range && reply.status != 206) return "a range was asked for, and the whole object came";
    look = *std::move(read);
    return {};
  };
  std::unique_ptr<net::HttpCall> http;
  call.stream = &http;
  const auto place = "GetObject " + name.bucket + "/" + name.key;
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (!reply) co_return std::unexpected(std::move(reply.error().failure));
  auto expected = look.size;
  if (range) {
    const auto behind = look.size - std::min(look.size, range->first);
    expected = std::min(range->count, behind);
  }
  co_return std::make_unique<HttpObjectStream>(std::move(http), std::move(look), expected, place);
}

}  // namespace tus::s3
