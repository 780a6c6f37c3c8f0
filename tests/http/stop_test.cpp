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
    auto port = server().server().listen(host, 0);
    ASSERT_TRUE(port) << host << port.error().detail();
    EXPECT_EQ(RawClient(*port).request("GET", get).status, 200) << host;
  }
  auto taken = server().server().listen("127.0.0.1", server().port());
  ASSERT_FALSE(taken);
  EXPECT_TRUE(taken.error().detail().contains(std::to_string(server().port())));
  EXPECT_FALSE(server().server().listen("256.0.0.1", 0));
  EXPECT_FALSE(server().server().listen("192.0.2.1", 0));
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
