#include "stores/s3/connection.h"

#include "stores/s3/call_metrics.h"
#include "stores/s3/client/find_credentials.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace tus::s3 {

namespace {

Encryption encryption_of(S3Encryption said) {
  if (said == S3Encryption::sse_s3) return Encryption::sse_s3;
  return said == S3Encryption::sse_kms ? Encryption::sse_kms : Encryption::as_bucket;
}

ClientOptions client_options(const S3StoreOptions& options, const FoundCredentials& found) {
  ClientOptions client;
  client.endpoint.url = options.endpoint;
  client.endpoint.region = options.region.empty() ? found.region : options.region;
  client.endpoint.transfer_acceleration = options.transfer_acceleration;
  client.endpoint.disable_ssl = options.disable_ssl;
  client.disable_content_hashes = options.disable_content_hashes;
  client.encryption = encryption_of(options.encryption);
  client.kms_key = options.kms_key;
  client.log_api_calls = options.log_api_calls;
  // With pauses and stalls less than two minutes in all.
  client.attempts = 8;
  client.attempt_timeout = std::min(client.attempt_timeout, options.request_timeout);
  // So that also a body that S3 does not take is answered within twice the time: half for beginning anew, an attempt that
  // stalls, and half for a look at what is there.
  const auto timeout = std::chrono::ceil<std::chrono::seconds>(options.request_timeout);
  client.stall = std::min(client.stall, std::max(timeout, std::chrono::seconds(2)));
  client.patience = options.request_timeout / 2;
  return client;
}

// Keys of machines and containers come from the machine itself, whatever proxy there is.
constexpr std::string_view near_hosts =
    ",169.254.169.254,169.254.170.2,169.254.170.23,fd00:ec2::254";

const char* variable(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody changes it
}

// As AWS's SDK for Go has it, with which Go's tusd is made.
net::HttpClientOptions http_options(const S3StoreOptions& options) {
  net::HttpClientOptions http;
  http.proxies = net::HttpProxies::from_environment(variable);
  http.proxies.without += near_hosts;
  for (const auto* name : {"AWS_CA_BUNDLE", "SSL_CERT_FILE"}) {
    const auto* file = variable(name);
    if (file != nullptr && http.tls.ca_file.empty()) http.tls.ca_file = file;
  }
  http.connections = http.connections_per_host =
      std::max(http.connections_per_host, 2l * static_cast<long>(options.concurrent_part_uploads));
  return http;
}

}  // namespace

Connection::Connection(const S3StoreOptions& options, const S3StoreParts& parts)
    : requests_(parts.executor, http_options(options)),
      downloads_(parts.executor, http_options(options)) {}

std::expected<std::unique_ptr<Connection>, std::string> Connection::make(
    const S3StoreOptions& options, const S3StoreParts& parts) {
  auto connection = std::unique_ptr<Connection>(new Connection(options, parts));
  ClientParts client;
  client.http = &connection->requests_;
  client.downloads = &connection->downloads_;
  client.clock = parts.clock;
  client.logger = parts.logger;
  if (parts.metrics) client.observer = std::make_shared<CallMetrics>(parts.metrics);
  SourceParts sources;
  sources.http = &connection->requests_;
  sources.pool = parts.pool;
  sources.clock = parts.clock;
  auto found = find_credentials(Surroundings::of_process(), sources, parts.logger);
  if (!found) return std::unexpected(std::move(found.error()));
  client.credentials = found->provider;
  auto bucket = HttpBucket::make(client_options(options, *found), std::move(client));
  if (!bucket) return std::unexpected(std::move(bucket.error()));
  connection->bucket_ = *std::move(bucket);
  return connection;
}

Awaitable<void> Connection::close(Deadline deadline) {
  co_await downloads_.close(deadline);
  co_await requests_.close(deadline);
}

}  // namespace tus::s3
