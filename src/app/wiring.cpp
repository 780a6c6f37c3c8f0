#include "app/wiring.h"

#include "app/bucket.h"
#include "app/connection_limit.h"
#include "app/greeting.h"
#include "app/hooks.h"
#include "app/origin_pattern.h"
#include "app/stderr_logger.h"
#include "metrics/prometheus_metrics.h"

#include <tus/file_locker.h>
#include <tus/limited_store.h>
#include <tus/memory_locker.h>
#include <tus/memory_store.h>
#include <tus/s3_store.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <thread>
#include <utility>
#include <vector>

namespace tus::app {

namespace {

constexpr unsigned pool_threads_at_least = 8;
constexpr std::chrono::seconds patience_at_start{10};

unsigned loop_count(const Config& config) {
  return config.threads > 0 ? config.threads : std::max(1u, std::thread::hardware_concurrency());
}

// With one look at the bucket, so that a mistake is seen at the start and not by the first client.
std::expected<s3::ConnectedStore, std::string> make_bucket_store(
    const Config& config, const Server& server, std::shared_ptr<Clock> clock,
    std::shared_ptr<S3Metrics> metrics) {
  auto connected = connect_bucket(config, server, clock, std::move(metrics));
  if (!connected) return std::unexpected("-s3-bucket: " + connected.error());
  if (config.s3.skip_check) return connected;
  const auto executor = server.loops->executors()[0];
  const auto deadline = Deadline::after(clock->now(), patience_at_start);
  auto checked =
      asio::co_spawn(executor, connected->store->check(deadline), asio::use_future).get();
  if (checked) return connected;
  asio::co_spawn(executor, connected->store->close(deadline), asio::use_future).get();
  return std::unexpected("-s3-bucket: " + checked.error());
}

std::expected<std::shared_ptr<Store>, std::string> make_unlimited_store(
    const Config& config, Server& server, std::shared_ptr<Clock> clock,
    std::shared_ptr<metrics::PrometheusMetrics> metrics) {
  if (config.store == StoreKind::memory) return make_memory_store();
  if (config.store == StoreKind::s3) {
    auto made = make_bucket_store(config, server, std::move(clock), std::move(metrics));
    if (!made) return std::unexpected(std::move(made.error()));
    server.bucket = made->store;
    server.outbox = outbox_in(*std::move(made));
    return server.bucket;
  }
  auto files = config.files;
  files.metrics = std::move(metrics);
  auto store = make_file_store(std::move(files), server.pool, std::move(clock), server.logger);
  if (!store) return std::unexpected(store.error().detail());
  return std::move(*store);
}

std::expected<std::shared_ptr<Store>, std::string> make_store(
    const Config& config, Server& server, std::shared_ptr<Clock> clock,
    std::shared_ptr<metrics::PrometheusMetrics> metrics) {
  auto store = make_unlimited_store(config, server, clock, std::move(metrics));
  if (!store || config.store_size == 0) return store;
  LimitedStoreOptions options;
  options.max_bytes = config.store_size;
  return make_limited_store(std::move(*store), options, std::move(clock), server.logger);
}

std::expected<std::shared_ptr<Locker>, std::string> make_locker(const Config& config,
                                                                const Server& server) {
  auto kind = config.locker;
  if (kind == LockerKind::as_store) {
    kind = config.store == StoreKind::file ? LockerKind::file : LockerKind::memory;
  }
  if (kind == LockerKind::memory) return make_memory_locker();
  if (kind == LockerKind::none) return make_no_locker();
  FileLockerOptions options;
  options.directory = config.files.directory;
  options.dir_perms = config.files.dir_perms;
  options.file_perms = config.files.file_perms;
  options.holder_poll = config.lock_holder_poll;
  options.acquirer_poll = config.lock_acquirer_poll;
  auto locker = make_file_locker(std::move(options), server.pool, server.logger);
  if (!locker) return std::unexpected(locker.error().detail());
  return std::move(*locker);
}

std::optional<CorsOptions> cors_options(const Config& config) {
  if (config.disable_cors) return std::nullopt;
  CorsOptions options;
  // The flag has been checked; nobody is allowed by a pattern that does not compile.
  if (auto pattern = OriginPattern::compile(config.cors_allow_origin)) {
    options.allows_origin = [allowed = std::make_shared<const OriginPattern>(*std::move(pattern))](
                                std::string_view origin) { return allowed->matches(origin); };
  } else {
    options.allows_origin = [](std::string_view) { return false; };
  }
  options.allow_credentials = config.cors_allow_credentials;
  options.more_methods = config.cors_allow_methods;
  options.more_request_fields = config.cors_allow_headers;
  options.more_response_fields = config.cors_expose_headers;
  options.max_age = std::to_string(config.cors_max_age);
  return options;
}

HandlerOptions handler_options(const Config& config, const Server& server) {
  HandlerOptions options;
  options.base_path = config.base_path;
  options.location = config.location;
  options.live = server.settings;
  options.finish_attempts = config.finish_attempts;
  // A disk is there or not. A request to somebody else has the patience that the operator has with others.
  const bool is_remote = config.store == StoreKind::s3;
  if (is_remote && config.network_timeout.count() > 0) {
    options.store_timeout = config.network_timeout;
  }
  options.allow_download = !config.disable_download;
  options.allow_termination = !config.disable_termination;
  options.allow_termination_of_finished = !config.disable_termination_finished;
  options.cors = cors_options(config);
  options.expire_after = std::chrono::ceil<std::chrono::seconds>(config.expire_after);
  options.remove_left_overs = config.expire_left_overs;
  options.digest = config.digest;
  options.evict = config.evict;
  options.evict_finished = config.evict_finished;
  options.concatenation = !config.disable_concatenation;
  options.remove_joined_parts = config.concat_remove_parts;
  options.progress_interval = config.hooks.progress_interval;
  options.access_cache = config.hooks.access_cache;
  return options;
}

HttpServerOptions http_options(const Config& config, const Server& server) {
  HttpServerOptions options;
  options.live = server.settings;
  options.zero_copy = config.zero_copy;
  options.access_log = config.access_log;
  options.behind_proxy = config.location.behind_proxy;
  options.max_header_bytes = 64 * 1024;  // the URLs of a thousand parts in one field
  return options;
}

LogLevel lowest_level(const Config& config) {
  return config.verbose ? LogLevel::debug : LogLevel::info;
}

std::shared_ptr<LeveledLogger> make_logger(const Config& config) {
  auto lines = make_stderr_logger({.lowest = LogLevel::debug, .format = config.log_format});
  auto logger = std::make_shared<LeveledLogger>(std::move(lines), lowest_level(config));
  for (const auto& warning : config.warnings) {
    logger->log(LogLevel::warn, "ConfigurationWarning", {{"cause", warning}});
  }
  return logger;
}

Watched watched_parts(const Config& config, const Server& server,
                      std::shared_ptr<metrics::PrometheusMetrics> metrics) {
  Watched watched;
  watched.metrics = std::move(metrics);
  watched.store = server.store;
  watched.bucket = server.bucket;
  watched.pool = server.pool;
  watched.loops = server.loops.get();
  watched.hooks = server.hooks;
  if (config.store == StoreKind::file) watched.directory = config.files.directory;
  return watched;
}

Awaitable<void> stop_all(Server& server, StopPlan plan) {
  server.monitoring->drain();
  server.handler->begin_close();
  co_await server.http->end_requests(plan.deadline, plan.unaccepted);
  // Clients may have taken all of the time that the stop has. What has to be made safe gets its own.
  const auto to_save = Deadline::after(std::chrono::steady_clock::now(), plan.time_to_save);
  co_await server.handler->close(to_save);
  if (server.hooks) co_await server.hooks->close(to_save);
  co_await server.monitoring->close(to_save);
  co_await server.store->close(to_save);
  if (plan.store_is_free) plan.store_is_free();
  co_await server.http->stop(plan.deadline);
}

}  // namespace

std::expected<Server, std::string> make_server(const Config& config) {
  Server server;
  auto clock = std::make_shared<SystemClock>();
  auto metrics = std::make_shared<metrics::PrometheusMetrics>(clock);
  server.logger = make_logger(config);
  apply_live(server, config);
  server.pool = make_blocking_pool(std::max(pool_threads_at_least, 2 * loop_count(config)));
  server.loops = std::make_unique<EventLoops>(loop_count(config));
  auto store = make_store(config, server, clock, metrics);
  if (!store) return std::unexpected(std::move(store.error()));
  server.store = std::move(*store);
  auto locker = make_locker(config, server);
  if (!locker) return std::unexpected(std::move(locker.error()));
  if (config.hooks.wanted()) {
    auto hooks = make_hooks(config, server, clock, metrics);
    if (!hooks) return std::unexpected(std::move(hooks.error()));
    server.hooks = std::move(*hooks);
  }
  server.monitoring = std::make_unique<Monitoring>(watched_parts(config, server, metrics), clock);

  HandlerParts parts;
  parts.store = server.store;
  parts.locker = std::move(*locker);
  parts.clock = clock;
  parts.logger = server.logger;
  parts.metrics = metrics;
  if (server.hooks) parts.hooks = server.hooks;
  const auto executors = server.loops->executors();
  server.handler =
      std::make_shared<Handler>(handler_options(config, server), std::move(parts), executors[0]);

  server.http = std::make_unique<HttpServer>(http_options(config, server), executors, server.pool,
                                             server.logger, metrics);
  server.http->mount(config.base_path, server.handler);
  server.monitoring->mount_on(*server.http, config);
  // At the root there are uploads, or there is nothing to point to.
  if (config.show_greeting && config.base_path != "/") {
    server.http->mount_plain(
        "/", [path = config.base_path](const RequestHead& head) { return greet(head, path); });
  }
  return server;
}

std::expected<Workshop, std::string> make_workshop(const Config& config) {
  Workshop shop;
  auto& server = shop.server;
  server.logger = make_logger(config);
  server.pool = make_blocking_pool(pool_threads_at_least);
  server.loops = std::make_unique<EventLoops>(1);
  auto careful = config;
  careful.s3.store.single_instance = false;
  auto store = make_bucket_store(careful, server, std::make_shared<SystemClock>(), nullptr);
  if (!store) return std::unexpected(std::move(store.error()));
  shop.store = std::move(store->store);
  auto locker = make_locker(config, server);
  if (!locker) return std::unexpected(std::move(locker.error()));
  shop.locker = std::move(*locker);
  return shop;
}

void close_workshop(Workshop& shop) {
  auto closed = asio::co_spawn(shop.server.loops->executors()[0],
                               shop.store->close(Deadline::never()), asio::use_future);
  closed.get();
  shop.server.loops->stop();
}

std::optional<std::string> open_for_clients(Server& server, const Listeners& listeners) {
  std::vector<server::ListeningSocket> duplicates;
  for (const auto& listener : listeners.all()) {
    duplicates.emplace_back(::fcntl(listener.socket.fd(), F_DUPFD_CLOEXEC, 3));
    if (duplicates.back().fd() < 0) {
      return "cannot listen on " + listener.name + ": " + std::strerror(errno);
    }
  }
  for (auto& duplicate : duplicates) {
    if (auto listening = server.http->listen(duplicate.release()); !listening) {
      return listening.error().detail();
    }
  }
  if (server.hooks) server.hooks->recover();
  server.handler->recover();
  return std::nullopt;
}

void apply_live(Server& server, const Config& config) {
  server.settings->max_size = config.max_size;
  server.settings->acquire_lock_timeout = config.acquire_lock_timeout;
  server.settings->network_timeout = config.network_timeout;
  server.settings->header_timeout = config.header_timeout;
  server.settings->max_connections = connection_limit(config.max_connections, descriptor_limit());
  server.settings->max_connections_per_address = config.max_connections_per_address;
  server.settings->max_uploads_per_address = config.max_uploads_per_address;
  server.settings->min_upload_rate = config.min_upload_rate;
  server.logger->set_lowest(lowest_level(config));
}

void begin_stop(Server& server, StopPlan plan, std::function<void(std::exception_ptr)> ended) {
  asio::co_spawn(server.loops->executors()[0], stop_all(server, std::move(plan)), std::move(ended));
}

void close_server(Server& server) {
  server.http.reset();
  server.handler.reset();
  server.loops->stop();
}

}  // namespace tus::app
