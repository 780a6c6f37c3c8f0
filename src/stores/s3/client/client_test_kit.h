// A client and the S3 that it talks to: a server that says what a test wants.
#pragma once

#include "net/http_client.h"
#include "net/scripted_server_test_kit.h"
#include "stores/s3/client/http_bucket.h"

#include <tus/runtime.h>
#include <tus/testing/coro_test.h>
#include <tus/testing/manual_clock.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tus::s3::test {

using net::test::Peer;
using net::test::SeenRequest;
using net::test::Then;

inline Deadline in(std::chrono::milliseconds wait) {
  return Deadline::after(std::chrono::steady_clock::now(), wait);
}

// All lines, whatever their level.
class LineLogger final : public Logger {
 public:
  bool enabled(LogLevel) const noexcept override { return true; }
  void log(LogLevel, std::string_view event,
           std::initializer_list<LogField> fields) noexcept override {
    const std::lock_guard lock(mutex_);
    text_ += event;
    for (const auto& field : fields)
      text_ += " " + std::string(field.key) + "=" + std::string(field.value);
    text_ += "\n";
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

struct Reported {
  std::string label;
  CallReport report;
};

class KeepingObserver final : public CallObserver {
 public:
  void on_call(const CallReport& report) noexcept override {
    const std::lock_guard lock(mutex_);
    all_.push_back({std::string(label_of(report.operation, report.key)), report});
  }
  std::vector<Reported> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Reported> all_;
};

class ClientTest : public ::testing::Test {
 protected:
  // What the n-th request (from 1) is answered with.
  using Script = std::function<Then(Peer&, const SeenRequest&, int)>;

  ClientTest() {
    options_.endpoint.region = "us-east-1";
    options_.first_pause = std::chrono::milliseconds(1);
    options_.longest_pause = std::chrono::milliseconds(5);
    parts_.credentials = std::make_shared<FixedCredentials>(
        Credentials{.key_id = "THEKEY", .secret = "THESECRET", .token = {}, .expires = {}});
    parts_.logger = log_;
    parts_.observer = observer_;
  }
  ~ClientTest() override { end_client(); }

  // For another server.
  void end_client() {
    bucket_.reset();
    if (http_) run(http_->close(in(std::chrono::milliseconds(0))));
    http_.reset();
    server_.reset();
    seen_.clear();
  }

  void serve(Script script, const net::test::TestCertificate* certificate = nullptr) {
    server_ = std::make_unique<net::test::ScriptedServer>(
        [this, script = std::move(script)](Peer& peer, const SeenRequest& request) {
          int number = 0;
          {
            const std::lock_guard lock(mutex_);
            seen_.push_back(request);
            number = static_cast<int>(seen_.size());
          }
          return script(peer, request, number);
        },
        certificate);
    options_.endpoint.url = server_->url("");
    net::HttpClientOptions http;
    if (certificate != nullptr) http.tls.skip_verify = true;
    http_ = std::make_unique<net::HttpClient>(loops_.executors()[0], http);
  }
  // The same every time.
  void serve(std::string reply) {
    serve([reply = std::move(reply)](Peer& peer, const SeenRequest&, int) {
      peer.send(reply);
      return Then::keep;
    });
  }
  // One after the other; the last one for ever. "" breaks the connection.
  void serve_all(std::vector<std::string> replies) {
    serve([replies = std::move(replies)](Peer& peer, const SeenRequest&, int number) {
      const auto index = std::min(static_cast<std::size_t>(number), replies.size()) - 1;
      if (replies[index].empty()) {
        peer.reset();
        return Then::close;
      }
      peer.send(replies[index]);
      return Then::keep;
    });
  }

  HttpBucket& s3() {
    if (!bucket_) {
      if (!http_)
        http_ = std::make_unique<net::HttpClient>(loops_.executors()[0], net::HttpClientOptions());
      parts_.http = http_.get();
      auto made = HttpBucket::make(options_, parts_);
      if (!made) throw std::runtime_error(made.error());
      bucket_ = *std::move(made);
    }
    return *bucket_;
  }

  std::vector<SeenRequest> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  template <class T>
  static T run(Awaitable<T> call) {
    return tus::testing::run(std::move(call));
  }

  EventLoops loops_{1};
  ClientOptions options_;
  ClientParts parts_;
  std::shared_ptr<LineLogger> log_ = std::make_shared<LineLogger>();
  std::shared_ptr<KeepingObserver> observer_ = std::make_shared<KeepingObserver>();
  std::unique_ptr<net::test::ScriptedServer> server_;
  std::unique_ptr<net::HttpClient> http_;

 private:
  std::unique_ptr<HttpBucket> bucket_;
  mutable std::mutex mutex_;
  std::vector<SeenRequest> seen_;
};

inline std::string reply(int status, std::string_view body, std::string_view fields = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " Said So\r\nx-amz-request-id: REQ1\r\n" +
         std::string(fields) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

inline std::string error(int status, std::string_view code, std::string_view more = {}) {
  return reply(status,
               "<?xml version=\"1.0\"?><Error><Code>" + std::string(code) +
                   "</Code><Message>why</Message>" + std::string(more) + "</Error>",
               "Content-Type: application/xml\r\n");
}

inline std::string html(int status) {
  return reply(status, "<!DOCTYPE html><html><body>gateway</body></html>",
               "Content-Type: text/html\r\n");
}

inline Payload payload_of(const std::string& bytes) {
  return Payload{{std::as_bytes(std::span(bytes))}};
}

}  // namespace tus::s3::test
