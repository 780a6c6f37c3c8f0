// The HTTP server behind tus::HttpServer, with routes to any coroutine.
#pragma once

#include "async/task_group.h"
#include "server/context.h"
#include "server/listener.h"
#include "server/loop.h"
#include "server/router.h"

#include <tus/http_server.h>

#include <memory>
#include <string>
#include <vector>

namespace tus::server {

class Server {
 public:
  Server(HttpServerOptions options, const std::vector<asio::any_io_executor>& loops,
         std::shared_ptr<Logger> logger, std::shared_ptr<MetricsSink> metrics);

  // All mounts come before the first listen().
  void mount(std::string base_path, RequestFunction function);
  void mount_plain(std::string path, PlainResponder responder);
  Result<std::uint16_t> listen(const std::string& host, std::uint16_t port);
  Awaitable<void> stop(Deadline deadline);

  // Connections and listeners. Any thread.
  std::size_t running() const noexcept { return tasks_.running(); }

 private:
  std::shared_ptr<Context> context_;
  std::vector<std::shared_ptr<Loop>> loops_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  TaskGroup tasks_;
};

}  // namespace tus::server
