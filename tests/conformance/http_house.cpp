#include "tests/conformance/http_house.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace tus::conformance {

namespace {

Deadline soon() {
  return Deadline::after(std::chrono::steady_clock::now(), std::chrono::seconds(10));
}

}  // namespace

HttpHouse::HttpHouse(HandlerOptions options, HandlerParts parts, HttpServerOptions server_options)
    : pool_(make_blocking_pool(2)),
      handler_(std::make_shared<Handler>(options, std::move(parts), loops_.executors().front())),
      server_(std::make_unique<HttpServer>(server_options, loops_.executors(), pool_,
                                           std::make_shared<NoLogger>(),
                                           std::make_shared<NoMetrics>())) {
  server_->mount(options.base_path, handler_);
  auto port = server_->listen("127.0.0.1", 0);
  if (!port) throw std::runtime_error(port.error().detail());
  port_ = *port;
}

HttpHouse::~HttpHouse() {
  run(server_->stop(soon()));
  run(handler_->close(soon()));
  server_.reset();
  handler_.reset();
}

void HttpHouse::listen(int fd) {
  if (auto listens = server_->listen(fd); !listens) {
    throw std::runtime_error(listens.error().detail());
  }
}

void HttpHouse::run(Awaitable<void> task) {
  asio::co_spawn(loops_.executors().front(), std::move(task), asio::use_future).get();
}

}  // namespace tus::conformance
