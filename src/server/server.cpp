#include "server/server.h"

#include "server/h1_session.h"

#include <boost/asio/post.hpp>

#include <stdexcept>
#include <utility>

namespace tus::server {

namespace {

std::function<void(std::exception_ptr)> log_failures(const std::shared_ptr<Context>& context) {
  return [context](std::exception_ptr) {
    context->logger->log(LogLevel::error, "ServerTaskFailed", {});
  };
}

}  // namespace

Server::Server(HttpServerOptions options, const std::vector<asio::any_io_executor>& loops,
               std::shared_ptr<Logger> logger, std::shared_ptr<MetricsSink> metrics,
               std::shared_ptr<BlockingPool> pool)
    : context_(std::make_shared<Context>(std::move(options), std::move(logger), std::move(metrics),
                                         std::move(pool))),
      accepting_(log_failures(context_)),
      tasks_(log_failures(context_)) {
  if (loops.empty()) throw std::invalid_argument("an HTTP server needs an event loop");
  for (const auto& executor : loops) loops_.push_back(std::make_shared<Loop>(executor));
  context_->admission->use(loops_);
}

void Server::mount(std::string base_path, RequestFunction function, RefusalFunction refuse) {
  context_->router.mount(std::move(base_path), std::move(function), std::move(refuse));
}

void Server::mount_plain(std::string path, PlainResponder responder) {
  context_->router.mount_plain(std::move(path), std::move(responder));
}

void Server::mount_waiting(std::string path, WaitingResponder responder) {
  context_->router.mount_waiting(std::move(path), std::move(responder));
}

void Server::start_probes() {
  if (!probes_.empty() || dynamic_cast<NoMetrics*>(context_->metrics.get()) != nullptr) return;
  for (const auto& loop : loops_) {
    probes_.push_back(net::LagProbe::start(
        loop->executor(),
        [metrics = context_->metrics](auto lag) { metrics->loop_was_late(lag); }));
  }
}

void Server::listen(ListeningSocket socket) {
  start_probes();
  auto accepted = [this](AcceptedSocket socket, const std::shared_ptr<Loop>& loop) {
    serve(std::move(socket), loop);
  };
  auto listener =
      std::make_shared<Listener>(std::move(socket), loops_, context_, std::move(accepted));
  listeners_.push_back(listener);
  accepting_.spawn(listener->executor(), Listener::run(listener));
}

void Server::serve(AcceptedSocket accepted, const std::shared_ptr<Loop>& loop) {
  auto session = std::make_unique<H1Session>(std::move(accepted), loop, context_);
  try {
    // From here on the session closes the descriptor.
    tasks_.spawn(loop->executor(), H1Session::run(std::move(session)));
  } catch (const std::exception& e) {
    context_->logger->log(LogLevel::error, "ConnectionFailed", {{"error", e.what()}});
  }
}

Awaitable<bool> Server::all_quiet(Deadline deadline) {
  for (const auto& loop : loops_) {
    if (!co_await loop->quiet().wait(deadline)) co_return false;
  }
  co_return true;
}

Awaitable<void> Server::end_requests(Deadline deadline, Unaccepted unaccepted) {
  if (std::exchange(ending_, true)) co_return;
  for (const auto& listener : listeners_) {
    asio::post(listener->executor(), [listener, unaccepted] { listener->close(unaccepted); });
  }
  // Not before all that was accepted is a session, which will be told to stop like the others.
  co_await accepting_.close(Deadline::never());
  for (const auto& loop : loops_) {
    asio::post(loop->executor(), [loop] { loop->soft_stop(); });
  }
  if (co_await all_quiet(deadline)) co_return;
  for (const auto& loop : loops_) {
    asio::post(loop->executor(), [loop] { loop->hard_stop(); });
  }
  // What runs now is inside a store or a hook, which have deadlines of their own.
  co_await all_quiet(Deadline::never());
}

Awaitable<void> Server::stop(Deadline deadline) {
  co_await end_requests(deadline, Unaccepted::answer);
  for (const auto& probe : probes_) probe->stop();
  if (co_await tasks_.close(deadline)) co_return;
  for (const auto& loop : loops_) {
    asio::post(loop->executor(), [loop] { loop->hard_stop(); });
  }
  co_await tasks_.close(Deadline::never());
}

}  // namespace tus::server
