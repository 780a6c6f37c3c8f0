#include "app/monitoring.h"

#include "async/run_blocking.h"

#include <chrono>
#include <string>
#include <string_view>
#include <sys/statvfs.h>
#include <utility>

namespace tus::app {

namespace {

constexpr std::chrono::seconds store_time{60};  // for its own deadline; nobody waits that long

bool only_asks(const RequestHead& head) { return head.method == "GET" || head.method == "HEAD"; }

Response not_allowed() {
  Response refused(405);
  refused.fields.add("Allow", "GET, HEAD");
  return refused;
}

Response page(int status, std::string_view text) {
  Response response(status);
  response.fields.add("Content-Type", "text/plain; charset=utf-8");
  response.fields.add("Cache-Control", "no-store");
  response.body = text;
  return response;
}

std::string_view sentence_of(Ready ready) {
  switch (ready) {
    case Ready::yes:
      return "ready\n";
    case Ready::draining:
      return "not ready: the server is stopping\n";
    case Ready::unwritable:
      return "not ready: uploads cannot be written\n";
    case Ready::no_answer:
      break;
  }
  return "not ready: the storage does not answer\n";
}

std::optional<metrics::StorageSpace> space_of(const std::filesystem::path& directory) {
  struct statvfs found{};
  if (::statvfs(directory.c_str(), &found) != 0) return std::nullopt;
  return metrics::StorageSpace{.free = std::uint64_t{found.f_bavail} * found.f_frsize,
                               .size = std::uint64_t{found.f_blocks} * found.f_frsize};
}

}  // namespace

Monitoring::Monitoring(Watched watched, const std::shared_ptr<Clock>& clock)
    : watched_(std::move(watched)),
      readiness_([this] { return look_at_store(); }, watched_.loops->executors()[0], clock) {}

Awaitable<Status> Monitoring::look_at_store() {
  const auto now = std::chrono::steady_clock::now();
  auto health = co_await watched_.store->health(Deadline::after(now, store_time));
  if (watched_.directory.empty()) co_return health;
  auto job = [this](std::span<std::byte>) { return space_of(watched_.directory); };
  const auto space = co_await run_blocking(*watched_.pool, job, Blocking::for_long);
  std::optional<std::size_t> dead_letters;
  if (watched_.hooks) dead_letters = co_await watched_.hooks->dead_letters();
  std::lock_guard lock(mutex_);
  space_ = space;
  dead_letters_ = dead_letters;
  co_return health;
}

std::optional<metrics::HookSamples> Monitoring::look_at_hooks() {
  if (!watched_.hooks) return std::nullopt;
  const auto figures = watched_.hooks->figures();
  metrics::HookSamples samples;
  samples.transport = watched_.hooks->transport();
  samples.waiting = figures.waiting;
  samples.oldest_age = figures.oldest_age;
  std::lock_guard lock(mutex_);
  samples.dead_letters = dead_letters_;
  return samples;
}

void Monitoring::mount_on(HttpServer& server, const Config& config) {
  if (config.expose_metrics) {
    server.mount_waiting(config.metrics_path,
                         [this](RequestHead head) { return metrics_page(std::move(head)); });
  }
  if (!config.expose_health) return;
  server.mount_plain(health_path, [](const RequestHead& head) {
    return only_asks(head) ? page(200, "ok\n") : not_allowed();
  });
  server.mount_waiting(ready_path,
                       [this](RequestHead head) { return ready_page(std::move(head)); });
}

Awaitable<Response> Monitoring::metrics_page(RequestHead head) {
  if (!only_asks(head)) co_return not_allowed();
  const auto ready = co_await readiness_.check();
  auto job = [this, ready](std::span<std::byte>) {
    metrics::Samples samples;
    samples.pool = watched_.pool->figures();
    samples.loops = watched_.loops->figures();
    samples.process = metrics::look_at_process();
    samples.ready = ready == Ready::yes;
    samples.hooks = look_at_hooks();
    if (watched_.bucket) samples.s3 = watched_.bucket->figures();
    {
      std::lock_guard lock(mutex_);
      samples.storage = space_;
    }
    return watched_.metrics->text(samples);
  };
  Response response(200);
  response.fields.add("Content-Type", metrics::PrometheusMetrics::content_type);
  response.body = co_await run_blocking(*own_pool_, job, Blocking::for_long);
  co_return response;
}

Awaitable<Response> Monitoring::ready_page(RequestHead head) {
  if (!only_asks(head)) co_return not_allowed();
  const auto ready = co_await readiness_.check();
  co_return page(ready == Ready::yes ? 200 : 503, sentence_of(ready));
}

Awaitable<void> Monitoring::close(Deadline deadline) {
  // It is inside the store, whose calls have deadlines of their own, and uses what we are made of.
  if (!co_await readiness_.close(deadline)) co_await readiness_.close(Deadline::never());
}

}  // namespace tus::app
