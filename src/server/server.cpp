#include "server/server.h"

#include "server/h1_session.h"

#include <boost/asio/post.hpp>

#include <stdexcept>
#include <utility>

namespace tus::server {

Server::Server(HttpServerOptions options, const std::vector<asio::any_io_executor>& loops,
               std::shared_ptr<Logger> logger, std::shared_ptr<MetricsSink> metrics)
    : context_(std::make_shared<Context>(options, std::move(logger), std::move(metrics))),
      tasks_([context = context_](std::exception_ptr) {
        context->logger->log(LogLevel::error, "ServerTaskFailed", {});
      }) {
  if (loops.empty()) throw std::invalid_argument("an HTTP server needs an event loop");
  for (const auto& executor : loops) loops_.push_back(std::make_shared<Loop>(executor));
}

void Server::mount(std::string base_path, RequestFunction function) {
  context_->router.mount(std::move(base_path), std::move(function));
}

void Server::mount_plain(std::string path, PlainResponder responder) {
  context_->router.mount_plain(std::move(path), std::move(responder));
}

Result<std::uint16_t> Server::listen(const std::string& host, std::uint16_t port) {
  auto listener = std::make_shared<Listener>(loops_, context_);
  auto bound = listener->open(host, port);
  if (!bound) return bound;
  listeners_.push_back(listener);
  auto accepted = [this](asio::ip::tcp::socket socket, std::shared_ptr<Loop> loop) {
    auto executor = loop->executor();
    auto session = std::make_unique<H1Session>(std::move(socket), std::move(loop), context_);
    tasks_.spawn(executor, H1Session::run(std::move(session)));
  };
  tasks_.spawn(listener->executor(), Listener::run(listener, std::move(accepted)));
  return bound;
}

Awaitable<void> Server::stop(Deadline deadline) {
  for (const auto& listener : listeners_) {
    asio::post(listener->executor(), [listener] { listener->close(); });
  }
  for (const auto& loop : loops_) {
    asio::post(loop->executor(), [loop] { loop->soft_stop(); });
  }
  if (co_await tasks_.close(deadline)) co_return;
  for (const auto& loop : loops_) {
    asio::post(loop->executor(), [loop] { loop->hard_stop(); });
  }
  // What runs now is inside a store or a hook, which have deadlines of their own.
  co_await tasks_.close(Deadline::never());
}

}  // namespace tus::server
