#include "server/context.h"

#include <cstdio>
#include <random>
#include <utility>

namespace tus::server {

namespace {

// At 10 ms each, two and a half seconds of waiting.
constexpr std::size_t most_waiting_per_thread = 256;

std::string random_prefix() {
  char text[16];
  std::snprintf(text, sizeof text, "%06x-", std::random_device()() & 0xffffffu);
  return text;
}

HttpServerOptions with_live(HttpServerOptions options) {
  if (!options.live) {
    options.live = std::make_shared<LiveSettings>();
    options.live->network_timeout = options.network_timeout;
    options.live->header_timeout = options.header_timeout;
    options.live->max_connections = options.max_connections;
    options.live->max_connections_per_address = options.max_connections_per_address;
    options.live->max_uploads_per_address = options.max_uploads_per_address;
    options.live->min_upload_rate = options.min_upload_rate;
  }
  return options;
}

}  // namespace

Context::Context(HttpServerOptions o, std::shared_ptr<Logger> l, std::shared_ptr<MetricsSink> m,
                 std::shared_ptr<BlockingPool> p)
    : options(with_live(std::move(o))),
      limits{options.max_request_line, options.max_header_bytes, options.max_header_fields},
      logger(l ? std::move(l) : std::make_shared<NoLogger>()),
      metrics(m ? std::move(m) : std::make_shared<NoMetrics>()),
      pool(std::move(p)),
      request_id_prefix(random_prefix()),
      admission(std::make_shared<Admission>(options.live)) {}

bool Context::is_swamped() const {
  if (!pool || !pool->is_crowded()) return false;
  const auto figures = pool->figures();
  return figures.waiting > figures.threads * most_waiting_per_thread;
}

}  // namespace tus::server
