// Limits that keep some clients from being in the way of all others.
#include "tests/http/test_server.h"

#include <tus/testing/counting_metrics.h>

#include <poll.h>
#include <thread>

namespace tus::http_tests {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::string_view begun_head = "GET /files/x HTTP/1.1\r\nHost: h\r\n";

std::string get_as(std::string_view fields) {
  return "GET /files/x HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

std::string patch_as(std::string_view target, std::string_view fields) {
  return patch_head(target, 100'000, fields) + "hello";
}

class Limits : public ServerTest {
 protected:
  TestServer& start_with(HttpServerOptions http) {
    http.live = nullptr;
    TestServer::Options options;
    options.http = std::move(http);
    options.metrics = metrics_;
    return start(std::move(options));
  }
  // Whose body stands still.
  RawClient stalled(std::string_view target, std::string_view fields = "") {
    server().records().set_progress(0);  // of an earlier one
    auto client = server().connect();
    client.send(patch_as(target, fields));
    EXPECT_TRUE(server().records().wait_for_progress(5));
    return client;
  }
  void expect_refused(const RawResponse& response, std::string_view code) {
    EXPECT_EQ(response.status, 503);
    EXPECT_TRUE(response.body.starts_with(code)) << response.body;
    EXPECT_EQ(response.field("Retry-After"), "5");
  }
  // Until the server has seen the end of somebody who was counted; false after 10 seconds.
  bool becomes(int status, std::string_view request) {
    for (const auto until = Clock::now() + 10s; Clock::now() < until; std::this_thread::yield()) {
      auto client = server().connect();
      client.try_send(request);
      try {
        if (client.read_response("PATCH").status == status) return true;
      } catch (const RawClientError&) {
        // Refused unread: a Unix socket takes the answer back.
      }
    }
    return false;
  }
  bool is_tcp() const { return GetParam().socket == SocketKind::tcp; }

  std::shared_ptr<testing::CountingMetrics> metrics_ = std::make_shared<testing::CountingMetrics>();
};
TUS_ALL_WAYS(Limits);

TEST_P(Limits, WhoWaitsLongestMakesRoom) {  // [ABUSE-1] [HTTP-44]
  HttpServerOptions http;
  http.max_connections = 4;
  start_with(http);
  std::vector<RawClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(server().connect());
    EXPECT_EQ(clients.back().request("GET", get).status, 200);
    ::poll(nullptr, 0, 20);  // the answer is out before the wait begins
  }
  EXPECT_EQ(clients[0].request("GET", get).status, 200) << "now the second waits longest";
  auto fifth = server().connect();
  EXPECT_EQ(fifth.request("GET", get).status, 200);
  EXPECT_TRUE(clients[1].closed_by_peer());
  for (const int i : {0, 2, 3}) {
    EXPECT_EQ(clients[static_cast<std::size_t>(i)].request("GET", get).status, 200);
  }
  EXPECT_EQ(metrics_->numbers().connections_shed, 1);
  EXPECT_TRUE(metrics_->numbers().connections_refused.empty());
}

TEST_P(Limits, WhenAllAreBusyNewcomersAreAnsweredAtOnce) {  // [ABUSE-2] [HTTP-44]
  HttpServerOptions http;
  http.max_connections = 2;
  start_with(http);
  auto one = stalled("/files/a");
  auto two = stalled("/files/b");
  for (int i = 0; i < 20; ++i) {
    auto third = server().connect();
    expect_refused(third.read_response("GET"), "ERR_OVERLOADED");
    EXPECT_TRUE(third.closed_by_peer());
  }
  EXPECT_EQ(metrics_->numbers().connections_refused,
            std::vector<Refusal>(20, Refusal::connections));
  one.close();
  EXPECT_TRUE(becomes(200, get));
  two.send(std::string(100'000 - 5, 'x'));
  EXPECT_EQ(two.read_response("PATCH").status, 200) << "a running body is not touched";
}

TEST_P(Limits, SlowHeadsKeepNobodyOut) {  // [ABUSE-4] [HTTP-44]
  HttpServerOptions http;
  http.max_connections = 8;
  start_with(http);
  auto upload = stalled("/files/a");
  std::vector<RawClient> slow;
  for (int i = 0; i < 60; ++i) {
    slow.push_back(server().connect());
    slow.back().send(begun_head);
    if (i % 10 == 0) {
      auto client = server().connect();
      EXPECT_EQ(client.request("GET", get).status, 200) << i;
    }
  }
  expect_refused(slow[0].read_response("GET"), "ERR_OVERLOADED");
  EXPECT_TRUE(slow[0].closed_by_peer());
  upload.send(std::string(100'000 - 5, 'x'));
  EXPECT_EQ(upload.read_response("PATCH").status, 200);
}

TEST_P(Limits, ALimitThatIsLoweredTakesHold) {  // [ABUSE-31]
  HttpServerOptions http;
  http.live = std::make_shared<LiveSettings>();
  TestServer::Options options;
  options.http = http;
  start(std::move(options));
  std::vector<RawClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(server().connect());
    EXPECT_EQ(clients.back().request("GET", get).status, 200);
  }
  http.live->max_connections = 3;
  const auto until = Clock::now() + 10s;
  do {
    auto next = server().connect();
    EXPECT_EQ(next.request("GET", get).status, 200);
  } while (server().server().running() > 3 && Clock::now() < until);
  EXPECT_TRUE(server().wait_for_connections(3)) << server().server().running();
}

TEST_P(Limits, ConnectionsOfOneAddress) {  // [ABUSE-10] [HTTP-44]
  HttpServerOptions http;
  http.max_connections_per_address = 2;
  start_with(http);
  auto one = server().connect();
  auto two = server().connect();
  EXPECT_EQ(one.request("GET", get).status, 200);
  EXPECT_EQ(two.request("GET", get).status, 200);
  auto third = server().connect();
  if (!is_tcp()) {
    EXPECT_EQ(third.request("GET", get).status, 200) << "Unix sockets have no addresses";
    return;
  }
  expect_refused(third.read_response("GET"), "ERR_TOO_MANY_CONNECTIONS");
  EXPECT_TRUE(third.closed_by_peer());
  EXPECT_EQ(metrics_->numbers().connections_refused, std::vector{Refusal::per_address});
  EXPECT_EQ(one.request("GET", get).status, 200);
  two.close();
  EXPECT_TRUE(becomes(200, get));
}

TEST_P(Limits, RequestsOfOneClientOfAProxy) {  // [ABUSE-11] [HTTP-44]
  HttpServerOptions http;
  http.max_connections_per_address = 2;
  http.behind_proxy = true;
  start_with(http);
  auto one = stalled("/files/a", "X-Forwarded-For: 203.0.113.1\r\n");
  auto two = stalled("/files/b", "Forwarded: for=203.0.113.1\r\n");
  auto proxy = server().connect();
  for (const char* same :
       {"X-Forwarded-For: 203.0.113.1\r\n", "X-Forwarded-For: 198.51.100.7, 203.0.113.1\r\n",
        "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 203.0.113.1\r\n",
        "Forwarded: for=198.51.100.7, for=\"203.0.113.1:999\"\r\n", "X-Real-IP: 203.0.113.1\r\n"}) {
    expect_refused(proxy.request("GET", get_as(same)), "ERR_TOO_MANY_CONNECTIONS");
  }
  EXPECT_EQ(proxy.request("GET", get_as("X-Forwarded-For: 203.0.113.2\r\n")).status, 200);
  EXPECT_EQ(proxy.request("GET", get_as("")).status, 200);
  EXPECT_EQ(
      proxy.request("GET", "GET /metrics HTTP/1.1\r\nHost: h\r\nX-Real-IP: 203.0.113.1\r\n\r\n")
          .status,
      200)
      << "the server's own pages are not counted";
  EXPECT_EQ(metrics_->numbers().requests_refused, std::vector<Refusal>(5, Refusal::per_address));
  one.close();
  EXPECT_TRUE(becomes(200, get_as("X-Real-IP: 203.0.113.1\r\n")));
}

TEST_P(Limits, NamesOfClientsAreForServersBehindProxies) {  // [ABUSE-13]
  start();
  auto client = server().connect();
  const auto fields = get_as("X-Forwarded-For: 203.0.113.1\r\nForwarded: for=203.0.113.1\r\n");
  EXPECT_EQ(client.request("GET", fields).field("X-Remote").find("203.0.113.1"), std::string::npos);
}

TEST_P(Limits, BehindAProxyTheClientIsWhomItNames) {  // [ABUSE-13]
  HttpServerOptions http;
  http.behind_proxy = true;
  start_with(http);
  auto proxy = server().connect();
  const auto remote = [&](std::string_view fields) {
    return proxy.request("GET", get_as(fields)).field("X-Remote");
  };
  const auto peer = remote("");
  EXPECT_NE(peer, "");
  EXPECT_EQ(remote("X-Forwarded-For: a\"b, 203.0.113.1\r\n"), "203.0.113.1");
  EXPECT_EQ(remote("Forwarded: for=\"[2001:db8::1]:4711\";proto=https\r\n"), "[2001:db8::1]:4711");
  EXPECT_EQ(remote("X-Real-IP: 2001:db8::1\r\n"), "2001:db8::1");
  EXPECT_EQ(remote("X-Forwarded-For: 203.0.113.1, level=ERROR\r\n"), peer) << "no address";
  EXPECT_EQ(remote("Forwarded: for=\"203.0.113.1\r\n"), peer) << "a quote that does not end";
}

TEST_P(Limits, UploadsOfOneAddress) {  // [ABUSE-20] [ABUSE-21] [HTTP-44]
  HttpServerOptions http;
  http.max_uploads_per_address = 1;
  http.behind_proxy = !is_tcp();
  start_with(http);
  const std::string fields = is_tcp() ? "" : "X-Forwarded-For: 203.0.113.1\r\n";
  auto first = stalled("/files/a", fields);
  {
    auto second = server().connect();
    second.send(patch_head("/files/b", 100'000'000, fields));
    expect_refused(second.read_response("PATCH"), "ERR_TOO_MANY_UPLOADS");
    EXPECT_TRUE(second.closed_by_peer()) << "its body is not waited for";
  }
  auto other = server().connect();
  expect_refused(other.request("POST", "POST /files/ HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n" +
                                           fields + "\r\nhello"),
                 "ERR_TOO_MANY_UPLOADS");
  EXPECT_EQ(other.request("GET", get_as(fields)).status, 200);
  EXPECT_EQ(other
                .request("POST", "POST /files/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" +
                                     fields + "\r\n")
                .status,
            200)
      << "without bytes";
  EXPECT_EQ(metrics_->numbers().requests_refused, std::vector<Refusal>(2, Refusal::uploads));
  // Who comes back takes over from himself.
  EXPECT_EQ(other.request("PATCH", patch("/files/a", "hello", fields)).status, 200);
  first.close();
  EXPECT_TRUE(becomes(200, patch("/files/b", "hello", fields)));
}

TEST_P(Limits, SlowBodiesEnd) {  // [ABUSE-30]
  HttpServerOptions http;
  http.min_upload_rate = 100;
  http.rate_window = 700ms;
  start_with(http);
  for (const char* path : {"/files/x", "/pull/x"}) {
    auto client = server().connect();
    const auto begun = Clock::now();
    client.send(patch_head(path, 1000));
    std::string sent;
    while (Clock::now() - begun < 9s && !client.readable(50ms)) {
      if (client.try_send("x")) sent += 'x';
    }
    const auto response = client.read_response("PATCH");
    EXPECT_EQ(response.field("X-State"), std::to_string(static_cast<int>(BodyState::too_slow)));
    EXPECT_GE(response.body.size(), 3u) << "what came is kept";
    EXPECT_TRUE(sent.starts_with(response.body));
    EXPECT_GT(Clock::now() - begun, 600ms);
    EXPECT_LT(Clock::now() - begun, 5s);
  }
}

TEST_P(Limits, BodiesThatAreFastEnoughDoNot) {  // [ABUSE-30]
  HttpServerOptions http;
  http.min_upload_rate = 10;
  http.rate_window = 1s;
  start_with(http);
  auto client = server().connect();
  client.send(patch_head("/files/x", 40'000));
  for (int i = 0; i < 40; ++i) {
    EXPECT_FALSE(client.readable(50ms)) << i;
    client.send(std::string(1000, 'x'));
  }
  EXPECT_EQ(client.read_response("PATCH").body.size(), 40'000u);
}

TEST_P(Limits, SilenceIsNoticedBesideARate) {  // [ABUSE-30] [HTTP-42]
  HttpServerOptions http;
  http.min_upload_rate = 1;
  http.network_timeout = 300ms;
  start_with(http);
  auto client = server().connect();
  client.send(patch_head("/files/x", 1000) + "hello");
  const auto response = client.read_response("PATCH");
  EXPECT_EQ(response.field("X-State"), std::to_string(static_cast<int>(BodyState::timed_out)));
  EXPECT_EQ(response.body, "hello");
}

}  // namespace
}  // namespace tus::http_tests
