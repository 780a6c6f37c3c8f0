// The pages for those who watch the server: /metrics, /healthz and /readyz.
#pragma once

#include "app/config.h"
#include "app/readiness.h"
#include "hooks/common/engine.h"
#include "metrics/prometheus_metrics.h"

#include <tus/blocking_pool.h>
#include <tus/clock.h>
#include <tus/http_server.h>
#include <tus/runtime.h>
#include <tus/s3_store.h>
#include <tus/store.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

namespace tus::app {

// What is watched. All of it lives until close() has returned.
struct Watched {
  std::shared_ptr<metrics::PrometheusMetrics> metrics;
  std::shared_ptr<Store> store;
  std::shared_ptr<S3Store> bucket;  // none where uploads are elsewhere
  std::shared_ptr<BlockingPool> pool;
  const EventLoops* loops = nullptr;
  std::filesystem::path directory;       // of the uploads; empty where there is none
  std::shared_ptr<hooks::Engine> hooks;  // none where nobody wants to be told anything
};

class Monitoring {
 public:
  Monitoring(Watched watched, const std::shared_ptr<Clock>& clock);

  // Those of the pages that are asked for.
  void mount_on(HttpServer& server, const Config& config);
  // The end is near: not ready from now on.
  void drain() noexcept { readiness_.drain(); }
  Awaitable<void> close(Deadline deadline);

 private:
  Awaitable<Status> look_at_store();
  std::optional<metrics::HookSamples> look_at_hooks();
  Awaitable<Response> metrics_page(RequestHead head);
  Awaitable<Response> ready_page(RequestHead head);

  Watched watched_;
  // A thread of its own: who watches must not stand in line behind what is watched.
  std::shared_ptr<BlockingPool> own_pool_ = make_blocking_pool(1);
  std::mutex mutex_;
  // With mutex_: when last looked at.
  std::optional<metrics::StorageSpace> space_;
  std::optional<std::size_t> dead_letters_;
  Readiness readiness_;
};

}  // namespace tus::app
