#include "server/context.h"

#include <cstdio>
#include <random>
#include <utility>

namespace tus::server {

namespace {

std::string random_prefix() {
  char text[16];
  std::snprintf(text, sizeof text, "%06x-", std::random_device()() & 0xffffffu);
  return text;
}

HttpServerOptions with_live(HttpServerOptions options) {
  if (!options.live) {
    options.live = std::make_shared<LiveSettings>();
    options.live->network_timeout = options.network_timeout;
  }
  return options;
}

}  // namespace

Context::Context(HttpServerOptions o, std::shared_ptr<Logger> l, std::shared_ptr<MetricsSink> m)
    : options(with_live(std::move(o))),
      limits{options.max_request_line, options.max_header_bytes, options.max_header_fields},
      logger(l ? std::move(l) : std::make_shared<NoLogger>()),
      metrics(m ? std::move(m) : std::make_shared<NoMetrics>()),
      request_id_prefix(random_prefix()) {}

}  // namespace tus::server
