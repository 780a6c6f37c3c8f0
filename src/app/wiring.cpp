#include "app/wiring.h"

#include "app/greeting.h"
#include "app/stderr_logger.h"
#include "metrics/prometheus_metrics.h"

#include <tus/memory_locker.h>
#include <tus/memory_store.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <thread>
#include <utility>

namespace tus::app {

namespace {

constexpr unsigned pool_threads_at_least = 8;

unsigned loop_count(const Config& config) {
  return config.threads > 0 ? config.threads : std::max(1u, std::thread::hardware_concurrency());
}

std::expected<std::shared_ptr<Store>, std::string> make_store(const Config& config,
                                                              const Server& server,
                                                              std::shared_ptr<Clock> clock) {
  if (config.store == StoreKind::memory) return make_memory_store();
  auto store = make_file_store(config.files, server.pool, std::move(clock), server.logger);
  if (!store) return std::unexpected(store.error().detail());
  return std::move(*store);
}

HandlerOptions handler_options(const Config& config) {
  HandlerOptions options;
  options.base_path = config.base_path;
  options.max_size = config.max_size;
  options.acquire_lock_timeout = config.acquire_lock_timeout;
  options.finish_attempts = config.finish_attempts;
  return options;
}

HttpServerOptions http_options(const Config& config) {
  HttpServerOptions options;
  options.network_timeout = config.network_timeout;
  options.zero_copy = config.zero_copy;
  return options;
}

std::shared_ptr<Logger> make_logger(const Config& config) {
  auto logger = make_stderr_logger(
      {.lowest = config.verbose ? LogLevel::debug : LogLevel::info, .format = config.log_format});
  for (const auto& warning : config.warnings) {
    logger->log(LogLevel::warn, "ConfigurationWarning", {{"cause", warning}});
  }
  return logger;
}

// A client may take all of the time that a stop has. What the store has to make safe gets time of its own.
Deadline time_for_the_store() {
  return Deadline::after(std::chrono::steady_clock::now(), std::chrono::seconds(10));
}

Awaitable<void> stop_all(Server& server, Deadline deadline) {
  server.handler->begin_close();
  co_await server.http->stop(deadline);
  co_await server.handler->close(time_for_the_store());
  co_await server.store->close(time_for_the_store());
}

}  // namespace

std::expected<Server, std::string> start_server(const Config& config) {
  Server server;
  auto clock = std::make_shared<SystemClock>();
  auto metrics = std::make_shared<metrics::PrometheusMetrics>();
  server.logger = make_logger(config);
  server.pool = make_blocking_pool(std::max(pool_threads_at_least, 2 * loop_count(config)));
  auto store = make_store(config, server, clock);
  if (!store) return std::unexpected(std::move(store.error()));
  server.store = std::move(*store);
  server.loops = std::make_unique<EventLoops>(loop_count(config));

  HandlerParts parts;
  parts.store = server.store;
  parts.locker = make_memory_locker();
  parts.clock = clock;
  parts.logger = server.logger;
  parts.metrics = metrics;
  const auto executors = server.loops->executors();
  server.handler =
      std::make_shared<Handler>(handler_options(config), std::move(parts), executors[0]);

  server.http = std::make_unique<HttpServer>(http_options(config), executors, server.pool,
                                             server.logger, metrics);
  server.http->mount(config.base_path, server.handler);
  if (config.expose_metrics) {
    server.http->mount_plain(config.metrics_path,
                             [metrics](const RequestHead& head) { return metrics->respond(head); });
  }
  // At the root there are uploads, or there is nothing to point to.
  if (config.show_greeting && config.base_path != "/") {
    server.http->mount_plain(
        "/", [path = config.base_path](const RequestHead& head) { return greet(head, path); });
  }
  auto port = server.http->listen(config.host, config.port);
  if (!port) return std::unexpected(port.error().detail());
  server.port = *port;
  server.handler->recover();
  return server;
}

void stop_server(Server& server, const Config& config) {
  const auto deadline = Deadline::after(std::chrono::steady_clock::now(), config.shutdown_timeout);
  asio::co_spawn(server.loops->executors()[0], stop_all(server, deadline), asio::use_future).get();
  server.http.reset();
  server.handler.reset();
  server.loops->stop();
}

}  // namespace tus::app
