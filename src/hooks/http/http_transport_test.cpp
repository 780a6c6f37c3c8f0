#include "hooks/http/http_transport.h"

#include "hooks/http/signature.h"
#include "net/scripted_server_test_kit.h"

#include <tus/runtime.h>
#include <tus/testing/coro_test.h>
#include <tus/testing/manual_clock.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <vector>

namespace tus::hooks {
namespace {

using namespace std::chrono_literals;
using net::test::Peer;
using net::test::ScriptedServer;
using net::test::SeenRequest;
using net::test::Then;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using tus::testing::run;

Deadline in(std::chrono::milliseconds wait) { return Deadline::after(steady_clock::now(), wait); }

Envelope envelope(std::string event_name = "pre-create") {
  Envelope made;
  made.event_name = std::move(event_name);
  made.event_id = "event-17";
  made.body = R"({"Type":"pre-create"})";
  return made;
}

class HttpTransportTest : public ::testing::Test {
 protected:
  ~HttpTransportTest() override {
    if (transport_) run(transport_->close(in(1min)));
  }

  // Long enough for slow machines, short between attempts.
  static HttpHookOptions options(std::string url) {
    HttpHookOptions made;
    made.url = std::move(url);
    made.backoff = 1ms;
    made.timeout = 60s;
    return made;
  }
  Transport& transport(HttpHookOptions options) {
    transport_ = make_http_transport(std::move(options), loops_.executors()[0],
                                     std::make_shared<NoLogger>());
    return *transport_;
  }
  Result<TransportReply> call(HttpHookOptions options, Envelope envelope,
                              Deadline deadline = in(2min)) {
    if (!transport_) transport(std::move(options));
    return run(transport_->call(std::move(envelope), deadline));
  }
  static std::string failure(const Result<TransportReply>& reply) {
    return reply ? "no failure" : reply.error().detail();
  }

  EventLoops loops_{1};
  std::unique_ptr<Transport> transport_;
};

// ---- the request ----

TEST_F(HttpTransportTest, PostsTheMessage) {  // [HOOKHTTP-1]
  std::promise<SeenRequest> seen;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    seen.set_value(request);
    peer.reply(200, R"({"RejectUpload":true})", "application/json; charset=utf-8");
    return Then::keep;
  });
  const auto reply = call(options(server.url("/hooks?a=b")), envelope());
  ASSERT_TRUE(reply) << failure(reply);
  EXPECT_EQ(reply->body, R"({"RejectUpload":true})");
  EXPECT_FALSE(reply->refused);
  const auto got = seen.get_future().get();
  EXPECT_EQ(got.line, "POST /hooks?a=b HTTP/1.1");
  EXPECT_EQ(got.body, envelope().body);
  EXPECT_EQ(got.field("Content-Type"), "application/json");
  EXPECT_EQ(got.field("Tus-Event-Id"), "event-17");
  EXPECT_EQ(got.count("Hook-Name"), 0u);
  EXPECT_EQ(got.count("Tus-Signature"), 0u);
}

TEST_F(HttpTransportTest, NamesTheHookInTheLegacyFormat) {  // [HOOKHTTP-1]
  std::promise<SeenRequest> seen;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    seen.set_value(request);
    peer.reply(200, "", "");
    return Then::keep;
  });
  auto legacy = options(server.url());
  legacy.format = Format::legacy;
  const auto reply = call(legacy, envelope("post-receive"));
  ASSERT_TRUE(reply) << failure(reply);
  EXPECT_EQ(seen.get_future().get().field("Hook-Name"), "post-receive");
}

TEST_F(HttpTransportTest, PassesOnTheFieldsItIsTold) {  // [HOOKHTTP-8]
  std::promise<SeenRequest> seen;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    seen.set_value(request);
    peer.reply(200, "{}");
    return Then::keep;
  });
  auto forwarding = options(server.url());
  forwarding.forward_headers = {"cookie",         "AUTHORIZATION", "X-Absent",
                                "Host",           "Content-Type",  "Transfer-Encoding",
                                "Content-Length", "Tus-Event-Id",  "Tus-Signature"};
  auto message = envelope();
  message.request_fields.add("Cookie", "a=1");
  message.request_fields.add("Authorization", "Bearer x");
  message.request_fields.add("COOKIE", "b=2");
  message.request_fields.add("Host", "evil.example");
  message.request_fields.add("Content-Type", "application/offset+octet-stream");
  message.request_fields.add("Transfer-Encoding", "chunked");
  message.request_fields.add("Content-Length", "5");
  message.request_fields.add("Tus-Event-Id", "not ours");
  message.request_fields.add("Tus-Signature", "t=1,v1=00");
  message.request_fields.add("X-Secret", "not asked for");
  ASSERT_TRUE(call(forwarding, message));
  const auto got = seen.get_future().get();
  EXPECT_EQ(got.field("Cookie"), "a=1|b=2");
  EXPECT_THAT(got.head, HasSubstr("\r\nAUTHORIZATION: Bearer x\r\n"));
  EXPECT_EQ(got.count("X-Absent"), 0u);
  EXPECT_EQ(got.count("X-Secret"), 0u);
  EXPECT_EQ(got.field("Host"), "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(got.field("Content-Type"), "application/json");
  EXPECT_EQ(got.count("Transfer-Encoding"), 0u);
  EXPECT_EQ(got.field("Content-Length"), std::to_string(message.body.size()));
  EXPECT_EQ(got.field("Tus-Event-Id"), "event-17");
  EXPECT_EQ(got.count("Tus-Signature"), 0u);
}

TEST_F(HttpTransportTest, AFieldThatWouldMakeAnotherIsNotSent) {  // [HOOKHTTP-8]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.reply(200, "{}");
    return Then::keep;
  });
  auto forwarding = options(server.url());
  forwarding.forward_headers = {"X-A"};
  auto message = envelope();
  message.request_fields.add("X-A", "a\r\nTus-Signature: t=1,v1=00");
  EXPECT_FALSE(call(forwarding, message));
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(HttpTransportTest, SignsEveryAttemptAnew) {  // [HOOKHTTP-9]
  auto clock = std::make_shared<tus::testing::ManualClock>();
  std::mutex mutex;
  std::vector<std::string> expected;
  std::vector<std::string> seen;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    std::lock_guard lock(mutex);
    expected.push_back(signature("s3cret", clock->wall(), request.body));
    seen.push_back(request.field("Tus-Signature"));
    clock->advance(7s);
    peer.reply(seen.size() < 3 ? 500 : 200, "{}");
    return Then::keep;
  });
  auto signing = options(server.url());
  signing.secret = "s3cret";
  signing.clock = clock;
  ASSERT_TRUE(call(signing, envelope()));
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen, expected);
  EXPECT_NE(seen[0], seen[1]);
}

// ---- attempts ----

TEST_F(HttpTransportTest, TriesAgainOverTheSameConnection) {  // [HOOKHTTP-6]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    static std::atomic<int> count = 0;
    const int now = ++count;
    peer.reply(now == 1 ? 503 : now == 2 ? 429 : 200, R"({"a":1})");
    return Then::keep;
  });
  const auto reply = call(options(server.url()), envelope());
  ASSERT_TRUE(reply) << failure(reply);
  EXPECT_EQ(reply->body, R"({"a":1})");
  EXPECT_EQ(server.requests(), 3);
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(HttpTransportTest, ThreeAttemptsAreThreeInAll) {  // [HOOKHTTP-6]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.reply(500, "sorry", "text/plain");
    return Then::keep;
  });
  const auto reply = call(options(server.url()), envelope());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), ErrorCode::store_unavailable);
  EXPECT_THAT(failure(reply), HasSubstr("status 500: sorry (attempt 3 of 3)"));
  EXPECT_EQ(server.requests(), 3);
}

TEST_F(HttpTransportTest, NoAttemptsMeansOne) {  // [HOOKHTTP-6]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.reply(500, "");
    return Then::keep;
  });
  auto once = options(server.url());
  once.attempts = 0;
  EXPECT_FALSE(call(once, envelope()));
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(HttpTransportTest, ANoIsNotAskedTwice) {  // [HOOKHTTP-6]
  for (const int status : {301, 400, 403, 404, 200}) {
    ScriptedServer server([&](Peer& peer, const SeenRequest&) {
      peer.reply(status, "<html>", "text/html");
      return Then::keep;
    });
    auto own = make_http_transport(options(server.url()), loops_.executors()[0],
                                   std::make_shared<NoLogger>());
    EXPECT_FALSE(run(own->call(envelope(), in(1min)))) << status;
    EXPECT_EQ(server.requests(), 1) << status;
    run(own->close(in(1min)));
  }
}

TEST_F(HttpTransportTest, ABrokenConnectionIsWorthAnotherAttempt) {  // [HOOKHTTP-6]
  std::atomic<int> count = 0;
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    switch (++count) {
      case 1:
        peer.reset();
        return Then::close;
      case 2:
        peer.send("220 this is not HTTP\r\n");
        return Then::close;
      case 3:
        peer.send(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{");
        return Then::close;
      default:
        peer.reply(200, "{}");
        return Then::keep;
    }
  });
  auto patient = options(server.url());
  patient.attempts = 5;
  const auto reply = call(patient, envelope());
  ASSERT_TRUE(reply) << failure(reply);
  EXPECT_EQ(reply->body, "{}");
  EXPECT_EQ(server.requests(), 4);
}

TEST_F(HttpTransportTest, NobodyListens) {  // [HOOKHTTP-6]
  const net::test::SilentPort port;
  const auto reply =
      call(options("http://127.0.0.1:" + std::to_string(port.port()) + "/"), envelope());
  EXPECT_THAT(failure(reply), HasSubstr("cannot connect"));
  EXPECT_THAT(failure(reply), HasSubstr("(attempt 3 of 3)"));
}

TEST_F(HttpTransportTest, WaitsBetweenAttempts) {  // [HOOKHTTP-6]
  const net::test::SilentPort port;
  auto waiting = options("http://127.0.0.1:" + std::to_string(port.port()) + "/");
  waiting.backoff = 60ms;
  const auto start = steady_clock::now();
  EXPECT_FALSE(call(waiting, envelope()));
  EXPECT_GE(steady_clock::now() - start, 120ms);
}

TEST_F(HttpTransportTest, TheTimeoutSpansAllAttempts) {  // [HOOKHTTP-7]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.reply(500, "");
    return Then::keep;
  });
  auto hasty = options(server.url());
  hasty.attempts = 1'000'000;
  hasty.backoff = 5ms;
  hasty.timeout = 200ms;
  const auto start = steady_clock::now();
  EXPECT_FALSE(call(hasty, envelope(), in(10min)));
  EXPECT_LT(steady_clock::now() - start, 30s);
  EXPECT_GT(server.requests(), 0);
}

TEST_F(HttpTransportTest, AnEndpointThatSaysNothing) {  // [HOOKHTTP-7]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.hold();
    return Then::close;
  });
  auto hasty = options(server.url());
  hasty.timeout = 80ms;
  EXPECT_THAT(failure(call(hasty, envelope())), HasSubstr("timeout"));
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(HttpTransportTest, NoWaitForAnAttemptThatCannotBegin) {  // [HOOKHTTP-7]
  const net::test::SilentPort port;
  auto slow = options("http://127.0.0.1:" + std::to_string(port.port()) + "/");
  slow.backoff = 1h;
  EXPECT_THAT(failure(call(slow, envelope())), HasSubstr("(attempt 1 of 3)"));
}

TEST_F(HttpTransportTest, TheCallersDeadlineCountsToo) {  // [HOOKHTTP-7]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.hold();
    return Then::close;
  });
  EXPECT_FALSE(call(options(server.url()), envelope(), in(50ms)));
}

// ---- replies ----

TEST_F(HttpTransportTest, ARefusalOfTheLegacyFormat) {  // [HOOKHTTP-4]
  std::atomic<int> status = 403;
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.reply(status, "go away", "text/plain");
    return Then::keep;
  });
  auto legacy = options(server.url());
  legacy.format = Format::legacy;
  auto reply = call(legacy, envelope());
  ASSERT_TRUE(reply) << failure(reply);
  EXPECT_TRUE(reply->refused);
  EXPECT_EQ(reply->status, 403);
  EXPECT_EQ(reply->body, "go away");
  EXPECT_EQ(server.requests(), 1);
  status = 503;
  reply = call(legacy, envelope());
  ASSERT_TRUE(reply) << failure(reply);
  EXPECT_TRUE(reply->refused);
  EXPECT_EQ(reply->status, 503);
  EXPECT_EQ(server.requests(), 1 + 3) << "it may have been a fault, and was asked again";
  EXPECT_FALSE(call(legacy, envelope("post-finish")));
}

TEST_F(HttpTransportTest, AHugeReplyIsCutOffAndAFailure) {  // [HOOKHTTP-5]
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.send(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (peer.send("a\r\n          \r\n")) {
    }
    return Then::close;
  });
  EXPECT_THAT(failure(call(options(server.url()), envelope())), HasSubstr("5120 bytes"));
  EXPECT_EQ(server.requests(), 1);
  const auto reply = call(options(server.url()), envelope("post-finish"));
  ASSERT_TRUE(reply) << failure(reply);
  EXPECT_EQ(reply->body, "");
}

TEST_F(HttpTransportTest, FollowsARedirectAsGoDoes) {  // [HOOKHTTP-10]
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    if (request.line.starts_with("POST /new ")) {
      peer.reply(200, request.body);
    } else {
      peer.send("HTTP/1.1 308 Moved\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n");
    }
    return Then::keep;
  });
  const auto reply = call(options(server.url("/old")), envelope());
  ASSERT_TRUE(reply) << failure(reply);
  EXPECT_EQ(reply->body, envelope().body);
}

TEST_F(HttpTransportTest, AnUnknownCertificateIsAFailureUnlessSkipped) {  // [HOOKHTTP-11]
  const net::test::TestCertificate certificate;
  ScriptedServer server(
      [&](Peer& peer, const SeenRequest&) {
        peer.reply(200, "{}");
        return Then::keep;
      },
      &certificate);
  EXPECT_THAT(failure(call(options(server.url()), envelope())), HasSubstr("TLS"));
  EXPECT_EQ(server.requests(), 0);
  auto trusting = options(server.url());
  trusting.tls.skip_verify = true;
  auto own = make_http_transport(trusting, loops_.executors()[0], std::make_shared<NoLogger>());
  EXPECT_TRUE(run(own->call(envelope(), in(1min))));
  run(own->close(in(1min)));
}

// ---- the end ----

TEST_F(HttpTransportTest, ClosingEndsCallsAndTheWaitBetweenThem) {  // [HOOKHTTP-12]
  std::promise<void> held;
  std::promise<void> waiting;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    if (request.line.starts_with("POST /held")) {
      held.set_value();
      peer.hold();
      return Then::close;
    }
    peer.reply(500, "");
    waiting.set_value();
    return Then::keep;
  });
  auto slow = options(server.url("/wait"));
  slow.backoff = 10min;
  slow.timeout = 1h;
  auto& first = transport(slow);
  auto second = make_http_transport(options(server.url("/held")), loops_.executors()[0],
                                    std::make_shared<NoLogger>());
  auto one = std::async(std::launch::async, [&] { return run(first.call(envelope(), in(1h))); });
  auto two = std::async(std::launch::async, [&] { return run(second->call(envelope(), in(1h))); });
  held.get_future().get();
  waiting.get_future().get();
  run(first.close(in(1min)));
  run(second->close(in(1min)));
  EXPECT_EQ(one.get().error(), ErrorCode::server_shutdown);
  EXPECT_EQ(two.get().error(), ErrorCode::server_shutdown);
  EXPECT_EQ(run(first.call(envelope(), in(1min))).error(), ErrorCode::server_shutdown);
}

}  // namespace
}  // namespace tus::hooks
