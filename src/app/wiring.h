// Puts the server together: the only place that knows which adapters there are.
#pragma once

#include "app/config.h"

#include <tus/handler.h>
#include <tus/http_server.h>
#include <tus/runtime.h>

#include <expected>
#include <memory>
#include <string>

namespace tus::app {

// A running server and everything it is made of. Members are destroyed in reverse order.
struct Server {
  Server() = default;

  std::shared_ptr<Logger> logger;
  std::shared_ptr<BlockingPool> pool;
  std::shared_ptr<Store> store;
  std::unique_ptr<EventLoops> loops;
  std::shared_ptr<Handler> handler;
  std::unique_ptr<HttpServer> http;
  std::uint16_t port = 0;
};

// The error is one sentence for the operator.
std::expected<Server, std::string> start_server(const Config& config);

// Stops in two steps: saves and answers what is running, waits, then cuts. Blocks the calling thread,
// which is none of the loops'.
void stop_server(Server& server, const Config& config);

}  // namespace tus::app
