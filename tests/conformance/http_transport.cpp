#include "tests/conformance/http_house.h"
#include "tests/conformance/transport.h"

#include <tus/testing/raw_client.h>

#include <gtest/gtest.h>

#include <ios>
#include <optional>
#include <sstream>
#include <utility>

namespace tus::conformance {

namespace {

using testing::RawClient;

constexpr std::size_t piece = 3;

std::string chunked(const std::string& bytes, const std::string& trailer) {
  std::ostringstream text;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto part = bytes.substr(at, piece);
    text << std::hex << part.size() << "\r\n" << part << "\r\n";
  }
  text << "0\r\n" << trailer << (trailer.empty() ? "\r\n" : "\r\n\r\n");
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
      return "Transfer-Encoding: chunked\r\n\r\n" + chunked(body.bytes, body.trailer);
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
  HttpTransport(HandlerOptions options, HandlerParts parts, ZeroCopy zero_copy)
      : house_(std::move(options), std::move(parts), server_options(zero_copy)) {}

  // One connection for all requests, as long as the server keeps it.
  Response answer(const Ask& ask) override {
    if (!client_) client_.emplace(house_.port());
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
    const bool is_bare = raw.status == 204 || raw.status == 304 || method == "HEAD";
    EXPECT_EQ(raw.fields.count("Content-Length"), is_bare ? 0u : 1u);
    EXPECT_EQ(raw.fields.count("Transfer-Encoding"), 0u);
  }

  HttpHouse house_;
  std::optional<RawClient> client_;
};

}  // namespace

std::unique_ptr<Transport> make_http_transport(HandlerOptions options, HandlerParts parts,
                                               ZeroCopy zero_copy) {
  return std::make_unique<HttpTransport>(std::move(options), std::move(parts), zero_copy);
}

}  // namespace tus::conformance
