// One request to S3 as its caller wants it: signed, sent, judged, and sent again where that may help.
#pragma once

#include "net/http_client.h"
#include "stores/s3/client/client_options.h"
#include "stores/s3/client/s3_errors.h"
#include "stores/s3/client/text.h"
#include "stores/s3/client/xml.h"

#include <tus/async.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tus::s3 {

enum class Pace : std::uint8_t {
  usual,
  slow,  // S3 may need minutes before it answers
};

struct Call {
  Call(Operation o, std::string m, const ObjectName& name)
      : operation(o), method(std::move(m)), bucket(name.bucket), key(name.key) {}

  Operation operation;
  std::string method;
  std::string bucket;
  std::string key;
  Query query;
  std::vector<std::pair<std::string, std::string>> headers;  // lower-case names; all are signed
  std::string body;
  const Payload* payload = nullptr;  // instead; lives until the call has returned
  std::size_t reply_limit = std::size_t{1} << 20;
  Pace pace = Pace::usual;
  int attempts = 0;  // 0: as many as the options allow
  // The body of a good reply is not held, but read from what is put here.
  std::unique_ptr<net::HttpCall>* stream = nullptr;
  // Takes what it wants from a reply with 2xx; what is wrong with it, or nothing. Called once an attempt.
  std::function<std::string(const net::HttpReply&)> read;
};

// Why a call failed, for those who can do more with it than with a Failure.
struct CallFailure {
  Failure failure{Trouble::unavailable, {}};
  int status = 0;         // 0: no reply
  ErrorDocument error;    // S3's, as far as it told one
  std::string transport;  // the HTTP client's, when there was no reply
  bool no_keys = false;   // there was nothing to sign with; `transport` says why
  bool is_s3 = true;      // whoever answered speaks S3
  bool given_up = false;  // by us, for the bytes of the body did not come: nothing is wrong with S3
};

// What is said about the bytes of a payload.
struct PayloadSums {
  std::string hash;    // the value of x-amz-content-sha256
  std::string crc32c;  // base64; empty: not told
};

// The reply of a call whose head is here. Without what of its body does not come, or is beyond the limit.
Awaitable<net::HttpReply> read_whole(net::HttpCall& call, net::HttpHead head, std::size_t limit,
                                     Deadline deadline);

class Calls {
 public:
  Calls(ClientOptions options, Endpoint endpoint, ClientParts parts);
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // The status of the reply is 2xx, and `read` has nothing against it.
  Awaitable<std::expected<net::HttpReply, CallFailure>> send(Call call, Deadline deadline);

  // For requests whose bodies are streams: one attempt, and the caller drives it.
  struct Signed {
    net::HttpRequest request;
    std::shared_ptr<const Credentials> credentials;
  };
  Awaitable<std::expected<Signed, CallFailure>> sign(const Call& call, const PayloadSums& sums,
                                                     Deadline deadline);
  // Judges a reply of such a request; nothing: it is good. Remembers what later calls can use.
  std::optional<CallFailure> judge_reply(const Call& call, const net::HttpReply& reply,
                                         const Signed& sent);
  CallFailure no_reply(const Call& call, const Error& error) const;

  const ClientOptions& options() const noexcept { return options_; }
  const Endpoint& endpoint() const noexcept { return endpoint_; }
  const ClientParts& parts() const noexcept { return parts_; }
  Deadline attempt_deadline(const Call& call, Deadline deadline) const;
  std::chrono::seconds stall_of(const Call& call) const;
  void report(const Call& call, const CallReport& report) const noexcept;
  // With a good reply, or with the failure. What works is told only where somebody wants every call in the log.
  void log_attempt(const Call& call, int number, const net::HttpReply* reply,
                   const CallFailure& failure, std::chrono::nanoseconds took) const noexcept;

 private:
  struct Attempt;

  Awaitable<std::expected<net::HttpReply, CallFailure>> repeat(const Call& call, Deadline deadline,
                                                               CallReport& report);
  Awaitable<Attempt> attempt(const Call& call, const PayloadSums& sums, Deadline deadline);
  Awaitable<Result<net::HttpReply>> exchange(const Call& call, net::HttpRequest request,
                                             Deadline deadline);
  Awaitable<PayloadSums> sums_of(const Call& call) const;
  bool wants_checksum(const Call& call) const noexcept;
  std::atomic<bool>& checksum_switch(const Call& call) noexcept;
  bool take_clock_of(const net::HttpReply& reply);
  std::chrono::sys_seconds now() const;
  std::chrono::milliseconds pause_before(int attempt) const;

  ClientOptions options_;
  Endpoint endpoint_;
  ClientParts parts_;
  std::atomic<std::int64_t> clock_offset_ = 0;  // seconds that the server's clock is ahead of ours
  std::atomic<bool> object_checksums_;
  std::atomic<bool> part_checksums_;
};

}  // namespace tus::s3
