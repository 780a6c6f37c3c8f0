// Puts the server together: the only place that knows which adapters there are.
#pragma once

#include "app/config.h"
#include "app/leveled_logger.h"
#include "app/listeners.h"
#include "app/monitoring.h"
#include "hooks/bucket/objects.h"
#include "hooks/common/engine.h"

#include <tus/handler.h>
#include <tus/http_server.h>
#include <tus/live_settings.h>
#include <tus/runtime.h>
#include <tus/s3_store.h>

#include <chrono>
#include <exception>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tus::app {

// A server and everything it is made of. Members are destroyed in reverse order.
struct Server {
  Server() = default;

  std::shared_ptr<LiveSettings> settings = std::make_shared<LiveSettings>();
  std::shared_ptr<LeveledLogger> logger;
  std::shared_ptr<BlockingPool> pool;
  std::unique_ptr<EventLoops> loops;
  std::shared_ptr<Store> store;
  std::shared_ptr<S3Store> bucket;           // what is behind the store, where that is a bucket
  std::optional<hooks::BucketPlace> outbox;  // when uploads are in a bucket
  std::unique_ptr<Monitoring> monitoring;
  std::shared_ptr<hooks::Engine> hooks;  // none when nobody wants to be told anything
  std::shared_ptr<Handler> handler;
  std::unique_ptr<HttpServer> http;
};

// Everything but clients: nothing of the store is changed yet. The error is one sentence for the operator.
std::expected<Server, std::string> make_server(const Config& config);

// What is needed to mend a bucket.
struct Workshop {
  Workshop() = default;

  Server server;  // no more of it than the store and the locker need
  std::shared_ptr<S3Store> store;
  std::shared_ptr<Locker> locker;
};

std::expected<Workshop, std::string> make_workshop(const Config& config);
void close_workshop(Workshop& shop);

// From here on clients are answered, and what an earlier process left undone is taken up.
std::optional<std::string> open_for_clients(Server& server, const Listeners& listeners);

// Makes the values that may change while the server runs those of `config`. Any thread.
void apply_live(Server& server, const Config& config);

struct StopPlan {
  Deadline deadline = Deadline::never();
  std::chrono::milliseconds time_to_save{10'000};  // for finishes and syncs, after the requests
  Unaccepted unaccepted = Unaccepted::answer;
  std::function<void()>
      store_is_free;  // called when nothing of this process uses the store any more
};

// Stops in two steps: saves and answers what is running, waits, then cuts. `ended` is called on a thread of
// the loops; then close_server may be called. `server` must live until then.
void begin_stop(Server& server, StopPlan plan, std::function<void(std::exception_ptr)> ended);
void close_server(Server& server);

}  // namespace tus::app
