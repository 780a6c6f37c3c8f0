// A handler behind a real server on a port of its own.
#pragma once

#include <tus/http_server.h>
#include <tus/runtime.h>

#include <cstdint>
#include <memory>

namespace tus::conformance {

class HttpHouse {
 public:
  HttpHouse(HandlerOptions options, HandlerParts parts, HttpServerOptions server_options);
  ~HttpHouse();  // stops in order; clients should be gone by then
  HttpHouse(const HttpHouse&) = delete;
  HttpHouse& operator=(const HttpHouse&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  // On one more socket, which is taken over.
  void listen(int fd);

 private:
  void run(Awaitable<void> task);

  EventLoops loops_{2};
  std::shared_ptr<BlockingPool> pool_;
  std::shared_ptr<Handler> handler_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
};

}  // namespace tus::conformance
