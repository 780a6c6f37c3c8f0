// Interim and early answers, clients that leave, stalls and interruptions.
#include "tests/http/test_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <thread>

namespace tus::http_tests {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::string_view expect = "Expect: 100-continue\r\n";

std::string state_text(BodyState state) { return std::to_string(static_cast<int>(state)); }

HttpServerOptions limits(std::chrono::milliseconds network, std::chrono::milliseconds header,
                         std::chrono::milliseconds idle) {
  HttpServerOptions options;
  options.network_timeout = network;
  options.header_timeout = header;
  options.idle_timeout = idle;
  return options;
}

// Lets real time pass: here it is the server's time-outs that are tried.
void pause(std::chrono::milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

class Flow : public ServerTest {};
TUS_ALL_WAYS(Flow);

TEST_P(Flow, ContinueComesBeforeTheBody) {  // [HTTP-18]
  auto client = start().connect();
  for (auto path : {"/files/x", "/pull/x"}) {
    client.send(patch_head(path, 5, expect));
    EXPECT_EQ(client.read_any("PATCH").status, 100);
    client.send("hello");
    auto response = client.read_any("PATCH");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "hello");
  }
}

TEST_P(Flow, NoContinueForAnErrorInTheHead) {  // [HTTP-19]
  auto client = start().connect();
  client.send(patch_head("/early/409", 5, expect));
  auto response = client.read_any("PATCH");
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.field("Connection"), "close");
  EXPECT_TRUE(client.closed_by_peer());
}

TEST_P(Flow, NoContinueOnceTheBodyComes) {  // [HTTP-20]
  auto client = start().connect();
  client.send(patch_head("/files/x", 5, expect) + "hel");
  EXPECT_FALSE(client.readable(100ms));
  client.send("lo");
  EXPECT_EQ(client.read_any("PATCH").status, 200);
}

TEST_P(Flow, AnotherInterimAnswerDoesNotReplaceTheContinue) {  // [HTTP-18]
  auto client = start().connect();
  client.send(patch_head("/interim/x", 5, expect));
  auto progress = client.read_any("PATCH");
  EXPECT_EQ(progress.status, 104);
  EXPECT_EQ(progress.field("Upload-Offset"), "7");
  EXPECT_EQ(client.read_any("PATCH").status, 100);
  client.send("hello");
  EXPECT_EQ(client.read_any("PATCH").body, "hello");
}

TEST_P(Flow, AnswerArrivesWhileABigBodyIsInFlight) {  // [HTTP-25]
  start();
  const std::string paths[] = {"/early/409", "/part/100000"};
  for (const auto& path : paths) {
    for (bool length_known : {true, false}) {
      auto client = server().connect();
      std::string body = pattern(32 << 20);
      std::string wire = length_known
                             ? patch(path, body)
                             : "PATCH " + path +
                                   " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                   chunked(body, 1 << 20);
      std::thread sender([&] { client.try_send(wire); });
      auto response = client.read_response("PATCH");
      EXPECT_GE(response.status, 409);
      EXPECT_EQ(response.field("Connection"), "close");
      client.shutdown_write();
      sender.join();
    }
  }
}

TEST_P(Flow, AnswerSurvivesForAClientThatReadsLate) {  // [HTTP-25]
  auto client = start().connect();
  // The server has answered and discarded long before the client looks.
  client.send(patch_head("/early/413", 1 << 30) + pattern(600000));
  pause(500ms);
  EXPECT_EQ(client.read_response("PATCH").status, 413);
}

TEST_P(Flow, HalfCloseAfterTheRequestIsNoAbort) {  // [HTTP-28]
  auto client = start().connect();
  client.send(patch("/files/x", "hello"));
  client.shutdown_write();
  auto response = client.read_response("PATCH");
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.field("X-State"), state_text(BodyState::complete));
  EXPECT_EQ(response.field("X-Peer-Gone"), "no");
}

TEST_P(Flow, ClientsThatLeaveInTheMiddleLeaveTheirBytes) {  // [HTTP-28]
  start();
  auto body = pattern(100000);
  for (bool reset : {false, true}) {
    for (auto path : {"/files/x", "/pull/x"}) {
      auto client = server().connect();
      client.send(patch_head(path, 200000) + body);
      ASSERT_TRUE(server().records().wait_for_progress(body.size()));
      const auto left = Clock::now();
      if (reset) {
        client.reset();
      } else {
        client.shutdown_write();
      }
      auto received = server().records().next();
      ASSERT_TRUE(received);
      EXPECT_LT(Clock::now() - left, 1s);
      // Unix sockets know no reset.
      const bool seen_as_reset = reset && GetParam().socket == SocketKind::tcp;
      EXPECT_EQ(received->state, seen_as_reset ? BodyState::peer_reset : BodyState::peer_closed);
      EXPECT_TRUE(same_bytes(received->body, body));
    }
  }
}

TEST_P(Flow, HalfClosedClientHearsThatItsBodyIsShort) {
  auto client = start().connect();
  client.send(patch_head("/files/x", 10) + "hello");
  client.shutdown_write();
  auto response = client.read_response("PATCH");
  EXPECT_EQ(response.field("X-State"), state_text(BodyState::peer_closed));
  EXPECT_EQ(response.body, "hello");
  EXPECT_TRUE(client.closed_by_peer());
}

TEST_P(Flow, StalledBodyTimesOut) {  // [HTTP-42]
  start(limits(300ms, 30s, 30s));
  for (auto path : {"/files/x", "/pull/x"}) {
    auto client = server().connect();
    const auto begun = Clock::now();
    client.send(patch_head(path, 10) + "hello");
    auto response = client.read_response("PATCH");
    EXPECT_EQ(response.field("X-State"), state_text(BodyState::timed_out));
    EXPECT_EQ(response.body, "hello");
    EXPECT_GT(Clock::now() - begun, 250ms);
    EXPECT_LT(Clock::now() - begun, 3s);
    EXPECT_TRUE(client.closed_by_peer());
  }
}

TEST_P(Flow, SlowBodyThatMovesDoesNot) {  // [HTTP-43]
  start(limits(300ms, 30s, 30s));
  auto client = server().connect();
  client.send(patch_head("/files/x", 10));
  for (char c : std::string_view("0123456789")) {
    pause(80ms);
    client.send({&c, 1});
  }
  EXPECT_EQ(client.read_response("PATCH").body, "0123456789");
}

TEST_P(Flow, HeadsAndIdleConnectionsTimeOut) {  // [HTTP-42]
  start(limits(30s, 300ms, 600ms));
  auto silent = server().connect();
  auto slow = server().connect();
  slow.send("GET / HTTP/1.1\r\n");
  auto idle = server().connect();
  EXPECT_EQ(idle.request("GET", get).status, 200);
  const auto begun = Clock::now();
  EXPECT_TRUE(silent.closed_by_peer());
  EXPECT_EQ(slow.read_response("GET").status, 500);
  EXPECT_TRUE(slow.closed_by_peer());
  EXPECT_LT(Clock::now() - begun, 3s);
  EXPECT_TRUE(idle.closed_by_peer());
  EXPECT_GT(Clock::now() - begun, 400ms);
}

TEST_P(Flow, AnEmptyLineAfterARequestIsNotTheNextOne) {  // [HTTP-8] [HTTP-42]
  start(limits(30s, 100ms, 500ms));
  auto client = server().connect();
  const auto begun = Clock::now();
  client.send(std::string(get) + "\r\n");
  EXPECT_EQ(client.read_response("GET").status, 200);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_GT(Clock::now() - begun, 400ms);
}

TEST_P(Flow, ADrippedHeadTimesOutAsAWhole) {  // [HTTP-42]
  start(limits(30s, 400ms, 30s));
  auto client = server().connect();
  const auto begun = Clock::now();
  while (Clock::now() - begun < 5s && !client.readable(50ms)) client.try_send("G");
  EXPECT_TRUE(client.read_response("GET").body.starts_with("ERR_READ_TIMEOUT"));
  EXPECT_LT(Clock::now() - begun, 3s);
}

TEST_P(Flow, AnswerThatNobodyTakesTimesOut) {  // [HTTP-42]
  start(limits(300ms, 30s, 30s));
  auto client = server().connect();
  client.send("GET /big/50000000 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(client.readable(10s));
  EXPECT_TRUE(server().wait_for_connections(0));
  EXPECT_LT(client.read_to_end().size(), 50000000u);
}

TEST_P(Flow, BigAnswersArriveWhole) {
  auto client = start().connect();
  auto response = client.request("GET", "GET /big/20000000 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(same_bytes(response.body, pattern(20000000)));
}

TEST_P(Flow, InterruptionEndsAStalledBodyAtOnce) {
  start();
  for (auto path : {"/files/x", "/pull/x"}) {
    auto client = server().connect();
    client.send(patch_head(path, 100000) + "hello");
    ASSERT_TRUE(server().records().wait_for_progress(5));
    const auto begun = Clock::now();
    ASSERT_TRUE(server().records().interrupt_current(BodyState::interrupted));
    auto response = client.read_response("PATCH");
    EXPECT_LT(Clock::now() - begun, 100ms);
    EXPECT_EQ(response.field("X-State"), state_text(BodyState::interrupted));
    EXPECT_EQ(response.body, "hello");
    EXPECT_EQ(response.field("Connection"), "close");
  }
}

TEST_P(Flow, AnInterruptionThatComesLateDoesNotEndTheNextBody) {
  auto client = start().connect();
  client.send("GET /late/x HTTP/1.1\r\nHost: h\r\n\r\n" + patch_head("/pull/y", 5));
  EXPECT_EQ(client.read_response("GET").status, 200);
  pause(50ms);
  client.send("hello");
  auto response = client.read_response("PATCH");
  EXPECT_EQ(response.field("X-State"), state_text(BodyState::complete));
  EXPECT_EQ(response.body, "hello");
}

TEST_P(Flow, InterruptionEndsABodyInFullFlight) {
  start();
  for (int i = 0; i < 10; ++i) {
    auto client = server().connect();
    auto body = pattern(8 << 20);
    std::thread sender([&] { client.try_send(patch_head("/files/x", 1 << 30) + body); });
    pause(std::chrono::milliseconds(i));
    ASSERT_TRUE(server().records().interrupt_current(BodyState::interrupted));
    auto received = server().records().next();
    ASSERT_TRUE(received);
    EXPECT_EQ(received->state, BodyState::interrupted);
    EXPECT_TRUE(body.starts_with(received->body));
    ::shutdown(client.fd(), SHUT_RDWR);  // nobody reads the answer either
    sender.join();
  }
}

TEST_P(Flow, ManyStalledBodiesDoNotHinderOthers) {  // [HTTP-45]
  start();
  std::vector<RawClient> stalled;
  for (int i = 0; i < 2000; ++i) {
    stalled.push_back(server().connect());
    if (i % 2 == 0) stalled.back().send(patch_head("/files/x", 1000) + "hello");
  }
  auto client = server().connect();
  auto body = pattern(4 << 20);
  EXPECT_TRUE(same_bytes(client.request("PATCH", patch("/files/x", body)).body, body));
  stalled.clear();
}

}  // namespace
}  // namespace tus::http_tests
