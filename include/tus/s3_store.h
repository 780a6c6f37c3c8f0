// Uploads in a bucket of S3 or of a service that is compatible with it, laid out as Go's tusd does it.
#pragma once

#include <tus/async.h>
#include <tus/blocking_pool.h>
#include <tus/clock.h>
#include <tus/deadline.h>
#include <tus/error.h>
#include <tus/locker.h>
#include <tus/logger.h>
#include <tus/s3_metrics.h>
#include <tus/store.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

TUS_NAMESPACE_BEGIN

enum class S3Encryption : std::uint8_t {
  as_bucket,  // whatever the bucket does by itself
  sse_s3,     // keys of S3's own
  sse_kms,    // a key of KMS
};

struct S3StoreOptions {
  S3StoreOptions() = default;

  std::string bucket;
  std::string object_prefix;           // of all objects; '/' is put behind it when it has none
  std::string metadata_object_prefix;  // of .info and .part; empty: object_prefix
  std::string endpoint;                // URL; empty: AWS
  std::string region;        // empty: AWS_REGION, AWS_DEFAULT_REGION, the configuration of AWS
  bool disable_ssl = false;  // HTTP where the endpoint does not say which
  bool transfer_acceleration = false;   // AWS
  bool disable_content_hashes = false;  // over HTTP: bodies are not covered by the signature
  bool log_api_calls = false;

  // Bytes. How large parts become: docs/s3.md.
  std::uint64_t part_size = 50ull << 20;
  std::uint64_t min_part_size = 5ull << 20;
  std::uint64_t max_memory = 256ull << 20;  // bodies on their way, of all uploads together
  unsigned concurrent_part_uploads = 10;    // of all uploads
  unsigned max_buffered_parts = 20;         // of one upload: on their way, and waiting for that
  // Nobody else writes into the bucket: what is remembered need not be checked at each request.
  bool single_instance = false;

  std::string storage_class;
  std::string cache_control;
  std::string content_disposition;
  S3Encryption encryption = S3Encryption::as_bucket;
  std::string kms_key;  // empty: the account's

  // After so long without an answer a request ends with store_unavailable.
  std::chrono::milliseconds request_timeout{60'000};
};

// What repair() has made of an upload.
enum class S3Mending : std::uint8_t {
  mended,
  left_alone,  // it needs it, but somebody may still work on it
  impossible,  // Go's tusd cannot go on with it
  failed,      // the bucket or the locks do not work; another time
};

struct S3RepairNote {
  std::string id;
  S3Mending outcome = S3Mending::mended;
  std::string what;  // what was done, or is wrong; for the operator
};

struct S3RepairOptions {
  S3RepairOptions() = default;

  // Uploads in which something has changed since are left alone.
  std::chrono::seconds idle_for{600};
  std::shared_ptr<Locker> locker;  // uploads that are held are left alone
  std::function<void(const S3RepairNote&)>
      tell;                       // nothing is said of uploads that are as they should be
  std::function<bool()> goes_on;  // asked before each upload; null: to the end
};

struct S3RepairReport {
  std::uint64_t uploads = 0;  // that were looked at
  std::uint64_t mended = 0;
  std::uint64_t left_alone = 0;
  std::uint64_t impossible = 0;
  std::uint64_t failed = 0;

  bool all_is_well() const noexcept { return left_alone + impossible + failed == 0; }
};

// A store, and what has to be done before and after it is used.
class TUS_EXPORT S3Store : public Store {
 public:
  // Makes of what a crash has left what Go's tusd can go on with, at the offset that this store tells. For a
  // bucket that no server works on. Error: the bucket cannot be listed.
  virtual Awaitable<Result<S3RepairReport>> repair(S3RepairOptions options) = 0;
  // What keeps the bucket from being used, as one sentence that says what to mend. Runs anywhere.
  virtual Awaitable<std::expected<void, std::string>> check(Deadline deadline) = 0;

  // Any thread.
  virtual S3Figures figures() const noexcept = 0;
};

struct S3StoreParts {
  S3StoreParts() = default;

  // All requests to S3 are sent and received on it; it outlives the store and runs until close() of the store
  // has returned.
  asio::any_io_executor executor;
  std::shared_ptr<BlockingPool> pool;  // for files with keys that change
  std::shared_ptr<Clock> clock;        // null: the system's
  std::shared_ptr<Logger> logger;      // null: none
  std::shared_ptr<S3Metrics> metrics;  // null: none
};

// Keys are looked for as AWS's tools do it: in the environment, in the files of AWS with AWS_PROFILE, at web
// identity, container and EC2 endpoints; CAs and proxies in AWS_CA_BUNDLE, SSL_CERT_FILE, HTTPS_PROXY and the like. Nothing is asked of S3 yet. The error is one sentence for the operator.
TUS_EXPORT std::expected<std::shared_ptr<S3Store>, std::string> make_s3_store(
    S3StoreOptions options, S3StoreParts parts);

TUS_NAMESPACE_END
