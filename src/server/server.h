// The HTTP server behind tus::HttpServer, with routes to any coroutine.
#pragma once

#include "async/task_group.h"
#include "net/lag_probe.h"
#include "server/context.h"
#include "server/listener.h"
#include "server/listening_socket.h"
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
         std::shared_ptr<Logger> logger, std::shared_ptr<MetricsSink> metrics,
         std::shared_ptr<BlockingPool> pool = nullptr);

  // All mounts come before the first listen().
  void mount(std::string base_path, RequestFunction function, RefusalFunction refuse = {});
  void mount_plain(std::string path, PlainResponder responder);
  void mount_waiting(std::string path, WaitingResponder responder);
  void listen(ListeningSocket socket);
  // See HttpServer.
  Awaitable<void> end_requests(Deadline deadline, Unaccepted unaccepted);
  Awaitable<void> stop(Deadline deadline);

  // Connections. Any thread.
  std::size_t running() const noexcept { return tasks_.running(); }

 private:
  void serve(AcceptedSocket accepted, const std::shared_ptr<Loop>& loop);
  void start_probes();
  Awaitable<bool> all_quiet(Deadline deadline);

  std::shared_ptr<Context> context_;
  std::vector<std::shared_ptr<Loop>> loops_;
  std::vector<std::shared_ptr<net::LagProbe>> probes_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  TaskGroup accepting_;
  TaskGroup tasks_;
  bool ending_ = false;
};

}  // namespace tus::server
