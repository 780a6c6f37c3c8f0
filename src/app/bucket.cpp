#include "app/bucket.h"

#include <utility>

namespace tus::app {

std::expected<s3::ConnectedStore, std::string> connect_bucket(const Config& config,
                                                              const Server& server,
                                                              std::shared_ptr<Clock> clock,
                                                              std::shared_ptr<S3Metrics> metrics) {
  auto options = config.s3.store;
  if (config.network_timeout.count() > 0) options.request_timeout = config.network_timeout;
  S3StoreParts parts;
  parts.executor = server.loops->executors()[0];
  parts.pool = server.pool;
  parts.clock = std::move(clock);
  parts.logger = server.logger;
  parts.metrics = std::move(metrics);
  return s3::connect_store(std::move(options), std::move(parts));
}

hooks::BucketPlace outbox_in(s3::ConnectedStore connected) {
  return {std::move(connected.bucket), std::move(connected.outbox.bucket),
          std::move(connected.outbox.key)};
}

}  // namespace tus::app
