#include "server/server.h"

#include <tus/http_server.h>

#include <utility>

TUS_NAMESPACE_BEGIN

class HttpServer::Impl {
 public:
  Impl(HttpServerOptions options, const std::vector<asio::any_io_executor>& loops,
       std::shared_ptr<BlockingPool> pool, std::shared_ptr<Logger> logger,
       std::shared_ptr<MetricsSink> metrics)
      : pool_(std::move(pool)),
        server_(std::move(options), loops, std::move(logger), std::move(metrics), pool_) {}

  server::Server& server() noexcept { return server_; }

 private:
  std::shared_ptr<BlockingPool> pool_;  // bodies are lent to its threads
  server::Server server_;
};

HttpServer::HttpServer(HttpServerOptions options, std::vector<asio::any_io_executor> loops,
                       std::shared_ptr<BlockingPool> pool, std::shared_ptr<Logger> logger,
                       std::shared_ptr<MetricsSink> metrics)
    : impl_(std::make_unique<Impl>(std::move(options), loops, std::move(pool), std::move(logger),
                                   std::move(metrics))) {}

HttpServer::~HttpServer() = default;

void HttpServer::mount(std::string base_path, std::shared_ptr<Handler> handler) {
  impl_->server().mount(
      std::move(base_path), [handler](Exchange& exchange) { return handler->handle(exchange); },
      [handler](Exchange& exchange, ErrorCode why) { return handler->refuse(exchange, why); });
}

void HttpServer::mount_plain(std::string path, PlainResponder responder) {
  impl_->server().mount_plain(std::move(path), std::move(responder));
}

void HttpServer::mount_waiting(std::string path, WaitingResponder responder) {
  impl_->server().mount_waiting(std::move(path), std::move(responder));
}

Result<std::uint16_t> HttpServer::listen(const std::string& host, std::uint16_t port) {
  auto socket = server::listen_on_tcp(host, port);
  if (!socket) return fail(std::move(socket.error()));
  const auto bound = server::port_of(socket->fd());
  impl_->server().listen(*std::move(socket));
  return bound;
}

Status HttpServer::listen(int fd) {
  auto socket = server::adopt_listening_socket(fd);
  if (!socket) return fail(std::move(socket.error()));
  impl_->server().listen(*std::move(socket));
  return {};
}

Awaitable<void> HttpServer::end_requests(Deadline deadline, Unaccepted unaccepted) {
  return impl_->server().end_requests(deadline, unaccepted);
}

Awaitable<void> HttpServer::stop(Deadline deadline) { return impl_->server().stop(deadline); }

TUS_NAMESPACE_END
