#include "net/http_client.h"

#include "async/task_group.h"
#include "net/scripted_server_test_kit.h"

#include <tus/runtime.h>
#include <tus/testing/coro_test.h>
#include <tus/testing/temporary_directory.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <future>
#include <map>
#include <vector>

namespace tus::net {
namespace {

using namespace std::chrono_literals;
using test::Peer;
using test::ScriptedServer;
using test::SeenRequest;
using test::Then;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using tus::testing::run;
using tus::testing::run_on_threads;

Deadline in(std::chrono::milliseconds wait) {
  return Deadline::after(std::chrono::steady_clock::now(), wait);
}
const Deadline soon_enough = Deadline::after(std::chrono::steady_clock::now(), 5min);

HttpRequest get(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  return request;
}

HttpRequest post(std::string url, std::string body) {
  HttpRequest request;
  request.method = "POST";
  request.url = std::move(url);
  request.body = std::move(body);
  return request;
}

Then say_ok(Peer& peer, const SeenRequest&) {
  peer.reply(200, "fine", "text/plain");
  return Then::keep;
}

Awaitable<void> echo(HttpClient& client, HttpRequest request, std::atomic<int>& right) {
  const auto body = request.body;
  const auto reply = co_await client.send(std::move(request), soon_enough);
  if (reply && reply->body == body) ++right;
}

// All of them under way at the same time, on one loop.
Awaitable<void> echo_many(HttpClient& client, std::string url, int calls, int thread,
                          std::atomic<int>& right) {
  auto executor = co_await asio::this_coro::executor;
  TaskGroup group({});
  for (int i = 0; i < calls; ++i) {
    auto body = std::to_string(thread) + "/" + std::to_string(i);
    group.spawn(executor, echo(client, post(url, std::move(body)), right));
  }
  EXPECT_TRUE(co_await group.close(soon_enough));
}

class HttpClientTest : public ::testing::Test {
 protected:
  ~HttpClientTest() override { close(); }

  HttpClient& client(HttpClientOptions options = {}) {
    if (!client_) client_ = std::make_unique<HttpClient>(loops_.executors()[0], std::move(options));
    return *client_;
  }
  Result<HttpReply> send(HttpRequest request, Deadline deadline = soon_enough) {
    return run(client().send(std::move(request), deadline));
  }
  std::string failure(HttpRequest request, Deadline deadline = soon_enough) {
    auto reply = send(std::move(request), deadline);
    if (reply) return "status " + std::to_string(reply->status);
    EXPECT_EQ(reply.error().code(), ErrorCode::store_unavailable);
    return reply.error().detail();
  }
  void close(Deadline deadline = in(0ms)) {
    if (!client_) return;
    run(client_->close(deadline));
    client_.reset();
  }

  EventLoops loops_{1};
  std::unique_ptr<HttpClient> client_;
};

// ---- requests and replies ----

TEST_F(HttpClientTest, SendsWhatItIsToldAndReturnsWhatComesBack) {  // [CLIENT-1]
  std::promise<SeenRequest> seen;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    seen.set_value(request);
    peer.send(
        "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n"
        "HTTP/1.1 418 Teapot\r\nX-A: 1\r\nx-a:  2 \r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n0\r\nX-Trailer: 3\r\n\r\n");
    return Then::keep;
  });
  auto request = post(server.url("/a?b=c"), "the body\r\n\0with all bytes");
  request.body.push_back('\0');
  request.fields.add("X-Many", "1");
  request.fields.add("X-Many", "2, 3");
  request.fields.add("X-Empty", "  ");
  const auto reply = send(request);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 418);
  EXPECT_EQ(reply->body, "hello");
  EXPECT_EQ(reply->fields.count("X-A"), 2u);
  EXPECT_EQ(*reply->fields.find("x-a"), "1");
  EXPECT_EQ(reply->fields.find("X-Interim"), nullptr);
  EXPECT_EQ(reply->fields.find("X-Trailer"), nullptr);
  EXPECT_FALSE(reply->cut);

  const auto got = seen.get_future().get();
  EXPECT_EQ(got.line, "POST /a?b=c HTTP/1.1");
  EXPECT_EQ(got.body, request.body);
  EXPECT_EQ(got.field("X-Many"), "1|2, 3");
  EXPECT_EQ(got.count("X-Empty"), 1u);
  EXPECT_EQ(got.count("Expect"), 0u);
  EXPECT_EQ(got.count("Content-Type"), 0u) << "nobody has said that it is an HTML form";
  EXPECT_EQ(got.count("Cookie"), 0u);
}

TEST_F(HttpClientTest, KnowsTheMethods) {  // [CLIENT-1]
  std::promise<SeenRequest> seen;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    seen.set_value(request);
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
    if (!request.line.starts_with("HEAD")) peer.send("body");
    return Then::keep;
  });
  for (const auto* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PROPFIND"}) {
    seen = {};
    auto request = get(server.url());
    request.method = method;
    if (request.method == "PUT") request.body = "x";
    const auto reply = send(request);
    ASSERT_TRUE(reply) << method << ": " << reply.error().detail();
    EXPECT_EQ(reply->body, request.method == "HEAD" ? "" : "body") << method;
    const auto got = seen.get_future().get();
    EXPECT_THAT(got.line, StartsWith(std::string(method) + " "));
    EXPECT_EQ(got.body, request.body);
  }
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(HttpClientTest, RefusesRequestsThatCouldSayMoreThanOneThing) {  // [CLIENT-2]
  ScriptedServer server(say_ok);
  auto unfit = [&](const std::function<void(HttpRequest&)>& change) {
    auto request = get(server.url());
    change(request);
    const auto reply = send(request);
    return !reply && reply.error() == ErrorCode::internal;
  };
  EXPECT_TRUE(unfit([](auto& r) { r.fields.add("X", "a\r\nY: b"); }));
  EXPECT_TRUE(unfit([](auto& r) { r.fields.add("X", "a\nY: b"); }));
  EXPECT_TRUE(unfit([](auto& r) { r.fields.add("X", std::string("a\0b", 3)); }));
  EXPECT_TRUE(unfit([](auto& r) { r.fields.add("X: y\r\nZ", "a"); }));
  EXPECT_TRUE(unfit([](auto& r) { r.fields.add("", "a"); }));
  EXPECT_TRUE(unfit([](auto& r) { r.method = "GET / HTTP/1.1\r\nX: y\r\n\r\nGET"; }));
  EXPECT_TRUE(unfit([](auto& r) { r.url = "file:///etc/passwd"; }));
  EXPECT_TRUE(unfit([](auto& r) { r.url = "ftp://127.0.0.1/"; }));
  EXPECT_TRUE(unfit([](auto& r) { r.url = "127.0.0.1/"; }));
  EXPECT_TRUE(unfit([](auto& r) { r.url = "http://"; }));
  EXPECT_TRUE(unfit([](auto& r) { r.url += "a b\r\nX: y"; }));
  EXPECT_EQ(server.requests(), 0);
}

// ---- connections ----

TEST_F(HttpClientTest, UsesAConnectionAgain) {  // [CLIENT-3]
  ScriptedServer server(say_ok);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(send(post(server.url(), "x")));
  EXPECT_EQ(server.requests(), 20);
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(HttpClientTest, AConnectionThatDiedMeanwhileIsReplaced) {  // [CLIENT-3]
  ScriptedServer server([](Peer& peer, const SeenRequest&) {
    peer.reply(200, "x");
    return Then::close;
  });
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(send(post(server.url(), "x")));
  EXPECT_EQ(server.accepted(), 5);
}

TEST_F(HttpClientTest, ManyCallsShareABoundedNumberOfConnections) {  // [CLIENT-4]
  std::atomic<int> at_once = 0;
  std::atomic<int> most = 0;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    int now = ++at_once;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    --at_once;
    peer.reply(200, request.body);
    return Then::keep;
  });
  HttpClientOptions options;
  options.connections_per_host = 8;
  auto& shared = client(options);
  std::atomic<int> right = 0;
  const auto url = server.url();
  run_on_threads(4, [&](int thread) { return echo_many(shared, url, 50, thread, right); });
  EXPECT_EQ(right, 200);
  EXPECT_EQ(server.requests(), 200);
  EXPECT_LE(server.accepted(), 8);
  EXPECT_LE(most, 8);
}

TEST_F(HttpClientTest, ResolvesNames) {
  ScriptedServer server(say_ok);
  EXPECT_TRUE(send(get("http://localhost:" + std::to_string(server.port()) + "/")));
}

TEST_F(HttpClientTest, GoesThroughAProxyOnlyWhenToldTo) {  // [CLIENT-5]
  std::promise<SeenRequest> seen;
  ScriptedServer proxy([&](Peer& peer, const SeenRequest& request) {
    seen.set_value(request);
    peer.reply(200, "from the proxy");
    return Then::keep;
  });
  HttpClientOptions options;
  options.proxies.http = proxy.url();
  options.proxies.without = "127.0.0.0/8,localhost";
  client(options);
  ScriptedServer server(say_ok);
  const auto direct = send(get(server.url()));
  ASSERT_TRUE(direct);
  EXPECT_EQ(direct->body, "fine");
  const auto reply = send(get("http://hooks.example/x"));
  ASSERT_TRUE(reply) << reply.error().detail();
  EXPECT_EQ(reply->body, "from the proxy");
  EXPECT_EQ(seen.get_future().get().line, "GET http://hooks.example/x HTTP/1.1");
}

TEST(HttpProxies, AreReadAsGoReadsThem) {  // [CLIENT-5]
  static std::map<std::string, std::string> variables;
  auto get_variable = [](const char* name) -> const char* {
    auto found = variables.find(name);
    return found != variables.end() ? found->second.c_str() : nullptr;
  };
  EXPECT_EQ(HttpProxies::from_environment(get_variable).http, "");
  variables = {{"HTTP_PROXY", "http://a:1"}, {"http_proxy", "http://b:1"}, {"https_proxy", "c:2"}};
  auto proxies = HttpProxies::from_environment(get_variable);
  EXPECT_EQ(proxies.http, "http://a:1");
  EXPECT_EQ(proxies.https, "c:2");
  EXPECT_EQ(proxies.without, "localhost,127.0.0.0/8,::1");
  variables["NO_PROXY"] = "example.org";
  EXPECT_EQ(HttpProxies::from_environment(get_variable).without,
            "example.org,localhost,127.0.0.0/8,::1");
  variables["NO_PROXY"] = "*";
  EXPECT_EQ(HttpProxies::from_environment(get_variable).http, "");
}

TEST_F(HttpClientTest, FollowsRedirectsOnlyWhenToldTo) {  // [CLIENT-6]
  ScriptedServer server([](Peer& peer, const SeenRequest& request) {
    if (request.line.starts_with("POST /there ")) {
      peer.reply(200, request.body);
    } else if (request.line.starts_with("POST /out ")) {
      peer.send("HTTP/1.1 307 T\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    } else {
      peer.send("HTTP/1.1 307 T\r\nLocation: /there\r\nX-First: 1\r\nContent-Length: 0\r\n\r\n");
    }
    return Then::keep;
  });
  auto request = post(server.url("/here"), "x");
  auto reply = send(request);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 307);
  request.max_redirects = 3;
  reply = send(request);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, "x");
  EXPECT_EQ(reply->fields.find("X-First"), nullptr);
  request.url = server.url("/out");
  EXPECT_THAT(failure(request), StartsWith("not HTTP"));
}

// ---- failures ----

TEST_F(HttpClientTest, NobodyListens) {  // [CLIENT-7]
  const test::SilentPort port;
  EXPECT_THAT(failure(get("http://127.0.0.1:" + std::to_string(port.port()) + "/")),
              StartsWith("cannot connect"));
}

// Sends those bytes of `answers` that the path of the request, "/0", "/1" and so on, stands for.
void send_answer(Peer& peer, const SeenRequest& request, const std::vector<std::string>& answers) {
  peer.send(answers.at(std::stoul(request.line.substr(request.line.find('/') + 1))));
}

TEST_F(HttpClientTest, TheConnectionBreaks) {  // [CLIENT-7]
  const std::vector<std::string> answers{"", "HTTP/1.1 200 OK\r\nContent-Le",
                                         "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"};
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    send_answer(peer, request, answers);
    peer.reset();
    return Then::close;
  });
  for (std::size_t i = 0; i < answers.size(); ++i) {
    EXPECT_THAT(failure(post(server.url("/" + std::to_string(i)), "x")),
                StartsWith("connection lost"))
        << answers[i];
  }
}

TEST_F(HttpClientTest, TheReplyEndsTooEarly) {  // [CLIENT-7]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    return Then::close;
  });
  EXPECT_THAT(failure(post(server.url(), "x")), StartsWith("connection lost"));
}

TEST_F(HttpClientTest, TheReplyIsNotHttp) {  // [CLIENT-7]
  const std::vector<std::string> answers{
      "220 smtp.example ESMTP\r\n", "\x16\x03\x01 and so on\r\n\r\n", "HTTP/1.1 nonsense\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx"};
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    send_answer(peer, request, answers);
    return Then::close;
  });
  for (std::size_t i = 0; i < answers.size(); ++i) {
    EXPECT_THAT(failure(post(server.url("/" + std::to_string(i)), "x")), StartsWith("not HTTP"))
        << answers[i];
  }
}

TEST_F(HttpClientTest, TheReplyIsTooLarge) {  // [CLIENT-8]
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    if (request.line.starts_with("GET /endless-head")) {
      peer.send("HTTP/1.1 200 OK\r\n");
      while (peer.send("X-More: and more of it\r\n")) {
      }
      return Then::close;
    }
    peer.send("HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (peer.send("a\r\n0123456789\r\n")) {
    }
    return Then::close;
  });
  auto request = get(server.url());
  request.reply_limit = 1000;
  EXPECT_THAT(failure(request), StartsWith("too large"));
  request.overlong = Overlong::is_cut;
  const auto reply = send(request);
  ASSERT_TRUE(reply) << reply.error().detail();
  EXPECT_EQ(reply->status, 503);
  EXPECT_TRUE(reply->cut);
  EXPECT_EQ(reply->body.size(), 1000u);
  EXPECT_THAT(failure(get(server.url("/endless-head"))), StartsWith("too large"));
}

TEST_F(HttpClientTest, AReplyOfExactlyTheLimitIsNotTooLarge) {  // [CLIENT-8]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.reply(200, std::string(1000, 'x'));
    return Then::keep;
  });
  auto request = get(server.url());
  request.reply_limit = 1000;
  const auto reply = send(request);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->body.size(), 1000u);
  EXPECT_FALSE(reply->cut);
}

TEST_F(HttpClientTest, NoReplyUntilTheDeadline) {  // [CLIENT-9]
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    if (request.line.starts_with("GET /half"))
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
    peer.hold();
    return Then::close;
  });
  EXPECT_THAT(failure(get(server.url()), in(50ms)), StartsWith("timeout"));
  EXPECT_THAT(failure(get(server.url("/half")), in(50ms)), StartsWith("timeout"));
  EXPECT_THAT(failure(get(server.url()), in(0ms)), StartsWith("timeout"));
}

TEST_F(HttpClientTest, ADripDoesNotMoveTheDeadline) {  // [CLIENT-9]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (peer.send("x")) std::this_thread::yield();
    return Then::close;
  });
  auto request = get(server.url());
  EXPECT_THAT(failure(request, in(100ms)), StartsWith("t"));
}

TEST_F(HttpClientTest, TheDeadlineAlsoCountsWhileWaitingForAConnection) {  // [CLIENT-9]
  std::promise<void> arrived;
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    arrived.set_value();
    peer.hold();
    return Then::close;
  });
  HttpClientOptions options;
  options.connections_per_host = 1;
  client(options);
  auto occupant = std::async(std::launch::async, [&] { return send(get(server.url())); });
  arrived.get_future().get();
  EXPECT_EQ(failure(get(server.url()), in(50ms)), "timeout: there was no connection yet");
  run(client_->close(in(0ms)));
  EXPECT_FALSE(occupant.get());
  EXPECT_EQ(server.accepted(), 1);
  client_.reset();
}

// ---- TLS ----

TEST_F(HttpClientTest, NobodyIsBelievedWhoseCertificateIsUnknown) {  // [CLIENT-10]
  const test::TestCertificate certificate;
  ScriptedServer server(say_ok, &certificate);
  EXPECT_THAT(failure(get(server.url())), StartsWith("TLS"));
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(HttpClientTest, ACertificateOfTheGivenCaIsBelieved) {  // [CLIENT-10]
  const test::TestCertificate certificate;
  ScriptedServer server(say_ok, &certificate);
  const tus::testing::TemporaryDirectory directory;
  HttpClientOptions options;
  options.tls.ca_file = directory.path() / "ca.pem";
  std::ofstream(options.tls.ca_file) << certificate.pem();
  client(options);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(send(get(server.url())));
  EXPECT_EQ(server.accepted(), 1);
  // It is for 127.0.0.1 and localhost.
  EXPECT_THAT(failure(get("https://127.0.0.2:" + std::to_string(server.port()) + "/")),
              ::testing::AnyOf(StartsWith("TLS"), StartsWith("cannot connect")));
}

TEST_F(HttpClientTest, VerificationCanBeSkipped) {  // [CLIENT-10]
  const test::TestCertificate certificate;
  ScriptedServer server(say_ok, &certificate);
  HttpClientOptions options;
  options.tls.skip_verify = true;
  client(options);
  EXPECT_TRUE(send(get(server.url())));
}

TEST_F(HttpClientTest, PlainHttpWhereTlsIsExpected) {  // [CLIENT-10]
  ScriptedServer server(say_ok);
  EXPECT_THAT(failure(get("https://127.0.0.1:" + std::to_string(server.port()) + "/"), in(300ms)),
              ::testing::AnyOf(StartsWith("TLS"), StartsWith("timeout")));
}

TEST_F(HttpClientTest, ABrokenPipeIsNoSignal) {  // [CLIENT-11]
  const auto before = std::signal(SIGPIPE, SIG_DFL);
  const test::TestCertificate certificate;
  {
    ScriptedServer server(
        [](Peer& peer, const SeenRequest&) {
          peer.reset();
          return Then::close;
        },
        &certificate);
    HttpClientOptions options;
    options.tls.skip_verify = true;
    client(options);
    for (int i = 0; i < 10; ++i)
      EXPECT_FALSE(send(post(server.url(), std::string(std::size_t{1} << 20, 'x'))));
  }
  close();
  std::signal(SIGPIPE, before);
}

// ---- ends ----

TEST_F(HttpClientTest, ACallerThatIsCancelledEndsTheTransfer) {  // [CLIENT-12]
  std::promise<void> arrived;
  std::promise<void> ended;
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    arrived.set_value();
    peer.hold();
    ended.set_value();
    return Then::close;
  });
  EventLoops callers(1);
  auto executor = callers.executors()[0];
  asio::cancellation_signal signal;
  std::promise<void> returned;
  asio::co_spawn(
      executor, client().send(get(server.url()), Deadline::never()),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr, Result<HttpReply> reply) {
        EXPECT_FALSE(reply);
        returned.set_value();
      }));
  arrived.get_future().get();
  asio::post(executor, [&] { signal.emit(asio::cancellation_type::terminal); });
  returned.get_future().get();
  ended.get_future().get();  // the connection went with it
}

TEST_F(HttpClientTest, CallersAreCancelledAtAnyMoment) {  // [CLIENT-12]
  ScriptedServer server(say_ok);
  EventLoops callers(1);
  auto executor = callers.executors()[0];
  for (int round = 0; round < 200; ++round) {
    asio::cancellation_signal signal;
    std::promise<void> returned;
    asio::co_spawn(executor, client().send(get(server.url()), Deadline::never()),
                   asio::bind_cancellation_slot(signal.slot(),
                                                [&](std::exception_ptr, const Result<HttpReply>&) {
                                                  returned.set_value();
                                                }));
    for (int i = 0; i < round; ++i) std::this_thread::yield();
    std::promise<void> emitted;
    asio::post(executor, [&] {
      signal.emit(asio::cancellation_type::terminal);
      emitted.set_value();
    });
    emitted.get_future().get();
    returned.get_future().get();
  }
  EXPECT_TRUE(send(get(server.url())));
}

TEST_F(HttpClientTest, ClosingEndsWhatRunsAtItsDeadline) {  // [CLIENT-13]
  std::promise<void> arrived;
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    arrived.set_value();
    peer.hold();
    return Then::close;
  });
  auto running = std::async(std::launch::async, [&] { return send(get(server.url())); });
  arrived.get_future().get();
  run(client_->close(in(20ms)));
  const auto reply = running.get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), ErrorCode::server_shutdown);
  const auto late = send(get(server.url()));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), ErrorCode::server_shutdown);
  client_.reset();
}

TEST_F(HttpClientTest, ClosingLetsCallsGoOnUntilItsDeadline) {  // [CLIENT-13]
  std::promise<void> arrived;
  std::promise<void> go_on;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    arrived.set_value();
    go_on.get_future().wait();
    return say_ok(peer, request);
  });
  auto running = std::async(std::launch::async, [&] { return send(get(server.url())); });
  arrived.get_future().get();
  auto closing = std::async(std::launch::async, [&] { run(client_->close(soon_enough)); });
  // Until closing has begun, calls are taken.
  while (true) {
    const auto late = send(get("http://unfit url/"));
    if (!late && late.error() == ErrorCode::server_shutdown) break;
  }
  go_on.set_value();
  EXPECT_TRUE(running.get());
  closing.get();
  client_.reset();
}

}  // namespace
}  // namespace tus::net
