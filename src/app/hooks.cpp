#include "app/hooks.h"

#include "app/dead_hooks.h"
#include "base/ascii.h"
#include "hooks/bucket/bucket_outbox.h"
#include "hooks/file/file_transport.h"
#include "hooks/http/http_transport.h"
#include "hooks/outbox/outboxes.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace tus::app {

namespace {

constexpr std::size_t most_in_memory = 100'000;  // events, with a store in memory
constexpr std::chrono::milliseconds longest_wait_for_programs{60'000};

const char* variable(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody changes it
}

hooks::Format format_of(const HookConfig& config) {
  return config.format == HookFormat::v2 ? hooks::Format::v2 : hooks::Format::legacy;
}

std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (const auto name = base::trim(list.substr(0, comma)); !name.empty())
      names.emplace_back(name);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return names;
}

std::unique_ptr<hooks::Transport> make_transport(const HookConfig& config, const Server& server,
                                                 const asio::any_io_executor& executor) {
  if (!config.directory.empty()) {
    hooks::FileHookOptions options;
    options.directory = std::filesystem::absolute(config.directory);
    if (config.file_concurrency > 0) options.concurrency = config.file_concurrency;
    options.timeout = config.file_timeout;
    options.format = format_of(config);
    return hooks::make_file_transport(std::move(options), server.pool, executor, server.logger);
  }
  hooks::HttpHookOptions options;
  options.url = config.url;
  options.forward_headers = names_in(config.forward_headers);
  options.attempts = static_cast<int>(config.http_retry);
  options.backoff = config.http_backoff;
  options.timeout = config.http_timeout;
  options.size_limit = config.http_size_limit;
  options.tls.skip_verify = config.http_skip_verify;
  options.secret = config.http_secret;
  options.format = format_of(config);
  options.proxies = net::HttpProxies::from_environment(variable);
  if (const auto* file = variable("SSL_CERT_FILE")) options.tls.ca_file = file;
  return hooks::make_http_transport(std::move(options), executor, server.logger);
}

bool are_written_down(const hooks::EventSet& events) {
  return events.has(HookEvent::post_create) || events.has(HookEvent::post_finish) ||
         events.has(HookEvent::post_terminate);
}

Result<std::unique_ptr<hooks::Outbox>> make_outbox(const Config& config, const Server& server,
                                                   const hooks::EventSet& events,
                                                   std::shared_ptr<Clock> clock) {
  // A bucket is not even asked for what nobody wants to hear.
  if (config.store == StoreKind::memory || (server.outbox && !are_written_down(events))) {
    return hooks::make_memory_outbox(std::move(clock), most_in_memory);
  }
  if (server.outbox) {
    hooks::BucketOutboxOptions options;
    options.lease = config.hooks.lease_time;
    if (config.s3.store.single_instance) options.users = hooks::OutboxUsers::one;
    if (config.network_timeout.count() > 0) options.patience = config.network_timeout;
    options.patience_behind = std::min(options.patience, options.patience_behind);
    return hooks::make_bucket_outbox(*server.outbox, options, std::move(clock), server.logger,
                                     server.loops->executors()[0]);
  }
  const auto safety = config.files.fsync == FsyncPolicy::off ? hooks::OutboxSafety::unsynced
                                                             : hooks::OutboxSafety::synced;
  return hooks::make_file_outbox(outbox_path(config), safety, server.pool, std::move(clock));
}

}  // namespace

std::expected<std::shared_ptr<hooks::Engine>, std::string> make_hooks(
    const Config& config, const Server& server, std::shared_ptr<Clock> clock,
    std::shared_ptr<MetricsSink> metrics) {
  const auto& said = config.hooks;
  hooks::EngineOptions options;
  // The flag has been checked.
  if (auto events = hooks::EventSet::parse(said.events)) options.events = *events;
  options.paths = said.confine_paths ? hooks::HookPaths::confined : hooks::HookPaths::anywhere;
  options.forwarded_fields = names_in(said.forward_headers);
  options.delivery.retry_delay = said.retry_delay;
  options.delivery.give_up_after = said.give_up_after;
  options.delivery.call_timeout =
      said.directory.empty() ? said.http_timeout : said.file_timeout + longest_wait_for_programs;
  options.delivery.rules.format = format_of(said);
  options.delivery.rules.stop_code = static_cast<int>(said.stop_code);
  if (server.outbox) {
    auto& look_around = options.delivery.look_around;
    look_around = std::min(look_around, hooks::beat_of(said.lease_time));
    options.delivery.longest_wait_for_others = look_around;
  }

  const auto executor = server.loops->executors()[0];
  hooks::EngineParts parts;
  parts.transport = make_transport(said, server, executor);
  auto outbox = make_outbox(config, server, options.events, clock);
  if (!outbox) return std::unexpected("hooks: " + outbox.error().detail());
  parts.outbox = std::move(*outbox);
  parts.store = server.store;
  parts.clock = std::move(clock);
  parts.logger = server.logger;
  parts.metrics = std::move(metrics);
  return std::make_shared<hooks::Engine>(std::move(options), std::move(parts), executor);
}

}  // namespace tus::app
