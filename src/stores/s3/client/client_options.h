// What a client of S3 is made with.
#pragma once

#include "stores/s3/client/credentials.h"
#include "stores/s3/client/endpoint.h"
#include "stores/s3/client/operation.h"

#include <tus/clock.h>
#include <tus/logger.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tus::net {
class HttpClient;
}

namespace tus::s3 {

// One call of Bucket, with everything that was repeated. For metrics.
struct CallReport {
  Operation operation = Operation::head_bucket;
  std::string_view key;  // of the object; see label_of()
  std::chrono::nanoseconds duration{};
  int attempts = 0;
  std::uint64_t bytes_sent = 0;  // of bodies, in all attempts
  std::uint64_t bytes_received = 0;
  std::optional<Trouble> trouble;
};

class CallObserver {
 public:
  virtual ~CallObserver() = default;
  // On any thread.
  virtual void on_call(const CallReport& report) noexcept = 0;
};

enum class Encryption : std::uint8_t { as_bucket, sse_s3, sse_kms };

struct ClientOptions {
  EndpointOptions endpoint;
  // Over HTTP payloads are signed by their SHA-256, unless this is true (-s3-disable-content-hashes). Over
  // HTTPS they never are: TLS does that already.
  bool disable_content_hashes = false;
  // CRC-32C of payloads that are not signed; given up when the server refuses it.
  bool checksums = true;
  Encryption encryption = Encryption::as_bucket;
  std::string kms_key;  // with sse_kms; empty: the account's
  bool log_api_calls = false;

  // For one attempt. Requests that take S3 long by nature (completing, copying) have the whole deadline.
  std::chrono::milliseconds attempt_timeout{30'000};
  // An attempt is given up when for that long no byte moves; of those that take long by nature: four times that.
  std::chrono::seconds stall{10};
  // A request with a large body has a late deadline, for a slow line; but nothing of it is sent again after that long.
  std::chrono::milliseconds patience{30'000};
  // Before attempt n + 1: a random time up to first_pause * 2^n, and no more than longest_pause.
  std::chrono::milliseconds first_pause{100};
  std::chrono::milliseconds longest_pause{5'000};
  int attempts = 12;
};

// They live as long as the client; callers see to it that calls have ended before any goes.
struct ClientParts {
  net::HttpClient* http = nullptr;
  // For bodies that are read by others: they hold connections as long as their readers like. Null: `http`.
  net::HttpClient* downloads = nullptr;
  std::shared_ptr<CredentialsProvider> credentials;
  std::shared_ptr<const Clock> clock = std::make_shared<SystemClock>();
  std::shared_ptr<Logger> logger = std::make_shared<NoLogger>();
  std::shared_ptr<CallObserver> observer;  // may be null
};

}  // namespace tus::s3
