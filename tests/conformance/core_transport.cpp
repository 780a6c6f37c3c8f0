#include "tests/conformance/transport.h"

#include <tus/testing/fake_exchange.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <utility>

namespace tus::conformance {

namespace {

using testing::BodyScript;
using testing::FakeExchange;

constexpr std::size_t piece = 3;  // so that bodies come in several

BodyScript script_of(const Body& body, Kind kind) {
  BodyScript script = BodyScript::chunked(body.bytes, piece);
  if (body.framing != Body::Framing::chunked) script.announced = body.bytes.size();
  if (body.framing == Body::Framing::cut) {
    script.announced = body.bytes.size() + cut_rest;
    script.end = BodyState::peer_closed;
  }
  if (kind == Kind::core_buffered) script.arrived = script.pieces.size();
  return script;
}

class CoreTransport final : public Transport {
 public:
  CoreTransport(HandlerOptions options, HandlerParts parts, Kind kind)
      : handler_(std::move(options), std::move(parts), loop_.get_executor()), kind_(kind) {}

  ~CoreTransport() override { run(handler_.close(Deadline::never())); }

  Response answer(const Ask& ask) override {
    RequestHead head;
    head.method = ask.method;
    head.target = ask.target;
    head.host = ask.host;
    head.fields = ask.fields;
    FakeExchange exchange(std::move(head), script_of(ask.body, kind_));
    if (const auto colon = ask.body.trailer.find(": "); colon != std::string::npos) {
      Fields trailers;
      trailers.add(ask.body.trailer.substr(0, colon), ask.body.trailer.substr(colon + 2));
      exchange.set_trailers(std::move(trailers));
    }
    run(handler_.handle(exchange));
    EXPECT_TRUE(exchange.final_response().has_value());
    return exchange.final_response().value_or(Response(0));
  }

 private:
  void run(Awaitable<void> task) {
    auto done = asio::co_spawn(loop_, std::move(task), asio::use_future);
    loop_.restart();
    loop_.run();
    done.get();
  }

  asio::io_context loop_;
  Handler handler_;
  Kind kind_;
};

}  // namespace

std::unique_ptr<Transport> make_core_transport(HandlerOptions options, HandlerParts parts,
                                               Kind kind) {
  return std::make_unique<CoreTransport>(std::move(options), std::move(parts), kind);
}

}  // namespace tus::conformance
