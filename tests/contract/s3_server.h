// The S3 server that the environment names (tests/services), by our client.
#pragma once

#include "net/http_client.h"
#include "stores/s3/client/http_bucket.h"

#include <tus/runtime.h>
#include <tus/testing/coro_test.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace tus::s3 {

class S3Server {
 public:
  // "ceph", "swift", or empty: none.
  static std::string product() { return variable("TUS_TEST_S3_KIND"); }

  S3Server() {
    ClientOptions options;
    options.endpoint.url = variable("TUS_TEST_S3_URL");
    options.endpoint.region = "us-east-1";
    ClientParts parts;
    parts.http = &http_;
    Credentials keys;
    keys.key_id = variable("TUS_TEST_S3_KEY");
    keys.secret = variable("TUS_TEST_S3_SECRET");
    parts.credentials = std::make_shared<FixedCredentials>(keys);
    auto made = HttpBucket::make(options, parts);
    if (!made) throw std::runtime_error(made.error());
    client_ = *std::move(made);
  }
  ~S3Server() { testing::run(http_.close(soon())); }
  S3Server(const S3Server&) = delete;
  S3Server& operator=(const S3Server&) = delete;

  static Deadline soon() {
    return Deadline::after(std::chrono::steady_clock::now(), std::chrono::seconds(60));
  }
  Bucket& client() { return *client_; }
  // Of its one bucket.
  static std::string bucket() { return variable("TUS_TEST_S3_BUCKET"); }

 private:
  static std::string variable(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody changes it
    return value == nullptr ? "" : value;
  }

  EventLoops loops_{1};
  net::HttpClient http_{loops_.executors()[0], net::HttpClientOptions()};
  std::unique_ptr<Bucket> client_;
};

}  // namespace tus::s3
