// Listening, and the two steps of stopping.
#include "tests/http/test_server.h"

#include <thread>

namespace tus::http_tests {
namespace {

using namespace std::chrono_literals;

std::string state_text(BodyState state) { return std::to_string(static_cast<int>(state)); }

class Stop : public ServerTest {};
TUS_ALL_WAYS(Stop);

TEST_P(Stop, ListensWhereItIsTold) {
  start();
  for (const char* host : {"", "0.0.0.0", "localhost", "127.0.0.1"}) {
    auto socket = server::listen_on_tcp(host, 0);
    ASSERT_TRUE(socket) << host << socket.error().detail();
    const auto port = server::port_of(socket->fd());
    server().server().listen(*std::move(socket));
    EXPECT_EQ(RawClient(port).request("GET", get).status, 200) << host;
  }
}

// [SOCK-2] Unix sockets are among the ways that every test here takes; this one looks at the kinds.
TEST_P(Stop, ListensOnSocketsOfBothKinds) {
  start();
  const testing::TemporaryDirectory directory;
  const auto path = (directory.path() / "s").string();
  auto local = server::listen_on_unix(path, std::nullopt);
  ASSERT_TRUE(local) << local.error().detail();
  server().server().listen(*std::move(local));
  const auto body = pattern(3'000'000);
  RawClient client(path);
  EXPECT_TRUE(same_bytes(client.request("PATCH", patch("/files/x", body)).body, body));
  EXPECT_EQ(server().connect().request("GET", get).status, 200);
}

TEST_P(Stop, NewConnectionsAreAnswered) {  // [STOP-3]
  start();
  auto silent = server().connect();
  auto late = server().connect();
  ASSERT_TRUE(server().wait_for_running(2));
  std::thread stopper([&] { EXPECT_LT(server().stop(10s), 5s); });
  EXPECT_FALSE(late.readable(50ms)) << "not turned away before it has spoken";
  const auto response = late.request("GET", get);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.field("Connection"), "close");
  EXPECT_NE(response.field("Retry-After"), "");
  late.close();
  EXPECT_TRUE(silent.closed_by_peer());
  stopper.join();
}

TEST_P(Stop, RequestsEndBeforeConnections) {  // [STOP-1] [STOP-4]
  start();
  auto stays = server().connect();
  stays.send(patch_head("/files/x", 10) + "hello");
  ASSERT_TRUE(server().records().wait_for_progress(5));
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_LT(server().end_requests(10s), 1s) << "the client that stays keeps nobody waiting";
  EXPECT_EQ(stays.read_response("PATCH").field("X-State"), state_text(BodyState::stopping));
  EXPECT_GT(server().server().running(), 0u);
  EXPECT_THROW(server().connect(), RawClientError);
  stays.close();
  EXPECT_LT(server().stop(10s), 5s);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 6s);
}

TEST_P(Stop, SoftStopAnswersWhatItInterrupts) {
  start();
  auto idle = server().connect();
  EXPECT_EQ(idle.request("GET", get).status, 200);
  server().records().next();
  auto receiving = server().connect();
  receiving.send(patch_head("/files/x", 10) + "hello");
  auto half = server().connect();
  half.send("GET / HT");
  ASSERT_TRUE(server().records().wait_for_progress(5));
  EXPECT_FALSE(half.readable(100ms));
  std::thread stopper([&] { EXPECT_LT(server().stop(10s), 5s); });
  auto response = receiving.read_response("PATCH");
  EXPECT_EQ(response.field("X-State"), state_text(BodyState::stopping));
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.field("Connection"), "close");
  EXPECT_EQ(half.read_response("GET").status, 503);
  EXPECT_TRUE(idle.closed_by_peer());
  receiving.close();
  half.close();
  stopper.join();
  EXPECT_THROW(server().connect(), RawClientError);
}

TEST_P(Stop, DoesNotWaitForTheRestOfABodyThatWasRefused) {
  start();
  auto client = server().connect();
  client.send(patch_head("/early/409", 500) + "only the beginning");
  EXPECT_EQ(client.read_response("PATCH").status, 409);
  EXPECT_LT(server().stop(30s), 5s);
}

TEST_P(Stop, HardStopCutsWhatDoesNotEnd) {
  start();
  auto client = server().connect();
  // Nobody reads this answer.
  client.send("GET /big/50000000 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(client.readable(10s));
  EXPECT_LT(server().stop(300ms), 3s);
}

TEST_P(Stop, ManyConnectionsEndAtOnce) {
  start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 500; ++i) {
    clients.push_back(server().connect());
    if (i % 3 == 0) clients.back().send(patch_head("/files/x", 100) + "hello");
    if (i % 3 == 1) clients.back().send(get);
  }
  // Clients that hang up when they hear of it, as most do.
  std::thread stopper([&] { EXPECT_LT(server().stop(10s), 5s); });
  clients.clear();
  stopper.join();
}

}  // namespace
}  // namespace tus::http_tests
