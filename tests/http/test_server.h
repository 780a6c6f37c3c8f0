// A real server on a loopback port with handlers that behave like a store, for the tests beside it.
#pragma once

#include "server/server.h"

#include <tus/exchange.h>
#include <tus/runtime.h>
#include <tus/testing/raw_client.h>
#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace tus::http_tests {

namespace server = tus::server;

using testing::RawClient;
using testing::RawClientError;
using testing::RawResponse;

// What a handler has made of one request.
struct Received {
  std::string target;
  std::string body;
  BodyState state = BodyState::open;
  std::string trailers;
  int file_error = 0;
};

// The requests that were handled, across threads.
class Records {
 public:
  void add(Received received);
  // The next one, in order; nothing after 10 seconds.
  std::optional<Received> next();

  // Of the request that is being received now; false after 10 seconds.
  void set_progress(std::uint64_t bytes);
  bool wait_for_progress(std::uint64_t bytes);

  // The body that is being received now by /files/..., so that tests can interrupt it.
  void set_current(BodySource* body);
  bool interrupt_current(BodyState reason);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Received> list_;
  BodySource* current_ = nullptr;
  std::uint64_t progress_ = 0;
};

enum class SocketKind : std::uint8_t { tcp, unix_file };

// Paths:
//   /files/...        receives the whole body into a file on the pool, answers 200 with what it got
//   /pull/...         the same through pull() on the loop
//   /early/STATUS     answers at once
//   /part/N           takes N bytes, then answers 413
//   /full/...         receives into /dev/full
//   /big/N            answers with N bytes
//   /late/...         interrupts its body, which has none, and answers at once
//   /throw, /silent   fail
//   /content/...      answers with what set_content() makes
class TestServer {
 public:
  struct Options {
    ZeroCopy zero_copy = ZeroCopy::automatic;
    unsigned loops = 1;
    SocketKind socket = SocketKind::tcp;
    HttpServerOptions http;
    std::shared_ptr<Logger> logger;        // none: silent
    std::shared_ptr<MetricsSink> metrics;  // none: nobody counts
  };

  explicit TestServer(Options options);
  ~TestServer();

  std::uint16_t port() const noexcept { return port_; }
  RawClient connect() const;
  Records& records() noexcept { return records_; }
  // Before the first request.
  void set_content(std::function<Content(std::string_view target)> make) {
    content_ = std::move(make);
  }
  server::Server& server() noexcept { return *server_; }
  BlockingPool& pool() noexcept { return *pool_; }

  // Until all connections but `left` have ended; false after 10 seconds.
  bool wait_for_connections(std::size_t left);

  // Until there are that many; false after 10 seconds.
  bool wait_for_running(std::size_t connections);

  // Both return how long it took. Once each.
  std::chrono::milliseconds end_requests(std::chrono::milliseconds patience);
  std::chrono::milliseconds stop(std::chrono::milliseconds patience);

 private:
  std::chrono::milliseconds time_of(Awaitable<void> task);
  Awaitable<void> handle(Exchange& exchange);
  Awaitable<void> receive(Exchange& exchange, bool on_pool, std::string file);
  Awaitable<void> take_part(Exchange& exchange, std::size_t count);

  testing::TemporaryDirectory directory_;
  EventLoops loops_;
  std::shared_ptr<BlockingPool> pool_ = make_blocking_pool(4);
  Records records_;
  std::function<Content(std::string_view)> content_;
  std::unique_ptr<server::Server> server_;
  std::uint16_t port_ = 0;
  bool stopped_ = false;
};

// "PATCH /files/x" with a length.
std::string patch(std::string_view target, std::string_view body, std::string_view fields = "");
std::string patch_head(std::string_view target, std::uint64_t length, std::string_view fields = "");
std::string chunked(std::string_view body, std::size_t chunk, std::string_view trailers = "");
std::string pattern(std::size_t size);
// Says where they differ instead of printing them.
::testing::AssertionResult same_bytes(std::string_view got, std::string_view wanted);

inline constexpr std::string_view get = "GET /files/next HTTP/1.1\r\nHost: h\r\n\r\n";

// Every test over the wire runs for both ways of moving bytes, for one and two loops, over both kinds of
// sockets.
struct Way {
  ZeroCopy zero_copy;
  unsigned loops;
  SocketKind socket = SocketKind::tcp;
};
void PrintTo(const Way& way, std::ostream* out);

class ServerTest : public ::testing::TestWithParam<Way> {
 protected:
  TestServer& start(HttpServerOptions http = {});
  TestServer& start(TestServer::Options options);
  TestServer& server() { return *server_; }

 private:
  std::optional<TestServer> server_;
};

#define TUS_ALL_WAYS(suite)                                                                     \
  INSTANTIATE_TEST_SUITE_P(Ways, suite,                                                         \
                           ::testing::Values(Way{ZeroCopy::always, 1}, Way{ZeroCopy::never, 2}, \
                                             Way{ZeroCopy::automatic, 2},                       \
                                             Way{ZeroCopy::always, 2, SocketKind::unix_file}))

}  // namespace tus::http_tests
