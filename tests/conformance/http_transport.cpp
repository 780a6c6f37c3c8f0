#include "tests/conformance/transport.h"

#include <tus/http_server.h>
#include <tus/runtime.h>
#include <tus/testing/raw_client.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <ios>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace tus::conformance {

namespace {

using testing::RawClient;

constexpr std::size_t piece = 3;

Deadline soon() {
  return Deadline::after(std::chrono::steady_clock::now(), std::chrono::seconds(10));
}

std::string chunked(const std::string& bytes) {
  std::ostringstream text;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto part = bytes.substr(at, piece);
    text << std::hex << part.size() << "\r\n" << part << "\r\n";
  }
  text << "0\r\n\r\n";
  return text.str();
}

std::string framed(const Body& body) {
  const auto sized = [&body](std::size_t announced) {
    return "Content-Length: " + std::to_string(announced) + "\r\n\r\n" + body.bytes;
  };
  switch (body.framing) {
    case Body::Framing::none:
      return "\r\n";
    case Body::Framing::length:
      return sized(body.bytes.size());
    case Body::Framing::chunked:
      return "Transfer-Encoding: chunked\r\n\r\n" + chunked(body.bytes);
    case Body::Framing::cut:
      return sized(body.bytes.size() + cut_rest);
  }
  return {};
}

std::string text_of(const Ask& ask) {
  std::string text = ask.method + " " + ask.target + " HTTP/1.1\r\nHost: " + ask.host + "\r\n";
  for (const auto& field : ask.fields) text += field.name + ": " + field.value + "\r\n";
  return text + framed(ask.body);
}

HttpServerOptions server_options(ZeroCopy zero_copy) {
  HttpServerOptions options;
  options.zero_copy = zero_copy;
  return options;
}

class HttpTransport final : public Transport {
 public:
  HttpTransport(const HandlerOptions& options, HandlerParts parts, ZeroCopy zero_copy)
      : pool_(make_blocking_pool(2)),
        handler_(std::make_shared<Handler>(options, std::move(parts), loops_.executors().front())),
        server_(std::make_unique<HttpServer>(server_options(zero_copy), loops_.executors(), pool_,
                                             std::make_shared<NoLogger>(),
                                             std::make_shared<NoMetrics>())) {
    server_->mount(options.base_path, handler_);
    auto port = server_->listen("127.0.0.1", 0);
    if (!port) throw std::runtime_error(port.error().detail());
    port_ = *port;
  }

  ~HttpTransport() override {
    client_.reset();
    run(server_->stop(soon()));
    run(handler_->close(soon()));
    server_.reset();
    handler_.reset();
  }

  // One connection for all requests, as long as the server keeps it.
  Response answer(const Ask& ask) override {
    if (!client_) client_.emplace(port_);
    client_->send(text_of(ask));
    if (ask.body.framing == Body::Framing::cut) client_->shutdown_write();
    auto raw = client_->read_response(ask.method);
    check_message(raw, ask.method);
    if (raw.field("Connection") == "close" || ask.body.framing == Body::Framing::cut) {
      client_.reset();
    }
    Response response(raw.status);
    response.fields = std::move(raw.fields);
    response.body = std::move(raw.body);
    return response;
  }

 private:
  // [HTTP-29] [HTTP-30]
  static void check_message(const testing::RawResponse& raw, const std::string& method) {
    EXPECT_EQ(raw.fields.count("Date"), 1u);
    const bool is_bare = raw.status == 204 || method == "HEAD";
    EXPECT_EQ(raw.fields.count("Content-Length"), is_bare ? 0u : 1u);
    EXPECT_EQ(raw.fields.count("Transfer-Encoding"), 0u);
  }

  void run(Awaitable<void> task) {
    asio::co_spawn(loops_.executors().front(), std::move(task), asio::use_future).get();
  }

  EventLoops loops_{2};
  std::shared_ptr<BlockingPool> pool_;
  std::shared_ptr<Handler> handler_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
  std::optional<RawClient> client_;
};

}  // namespace

std::unique_ptr<Transport> make_http_transport(HandlerOptions options, HandlerParts parts,
                                               ZeroCopy zero_copy) {
  return std::make_unique<HttpTransport>(options, std::move(parts), zero_copy);
}

}  // namespace tus::conformance
