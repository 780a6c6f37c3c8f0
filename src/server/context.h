// What all connections of one server share; any thread.
#pragma once

#include "net/pipe_pool.h"
#include "server/admission.h"
#include "server/client_shares.h"
#include "server/head_parser.h"
#include "server/router.h"

#include <tus/blocking_pool.h>
#include <tus/exchange.h>
#include <tus/http_server.h>
#include <tus/logger.h>
#include <tus/metrics_sink.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace tus::server {

struct Context {
  Context(HttpServerOptions o, std::shared_ptr<Logger> l, std::shared_ptr<MetricsSink> m,
          std::shared_ptr<BlockingPool> p);

  // More work waits for a thread than will be done soon: a disk hangs.
  bool is_swamped() const;

  const HttpServerOptions options;  // with live settings
  const LiveSettings& live() const noexcept { return *options.live; }
  const HeadLimits limits;
  const std::shared_ptr<Logger> logger;
  const std::shared_ptr<MetricsSink> metrics;
  const std::shared_ptr<BlockingPool> pool;  // may be missing
  Router router;                             // not changed any more once connections exist
  net::PipePool pipes{64};
  const std::string request_id_prefix;         // differs between runs of the program
  std::atomic<std::uint64_t> connections = 0;  // that there ever were
  const std::shared_ptr<Admission> admission;
  ClientShares connection_shares;
  ClientShares upload_shares;
};

}  // namespace tus::server
