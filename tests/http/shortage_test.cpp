// A server without descriptors left says so, and works again when there are some.
#include "tests/http/test_server.h"

#include <future>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace tus::http_tests {
namespace {

using namespace std::chrono_literals;

// The descriptors of the server and of the test are those of one process.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit limit = before_;
    const int next = ::dup(0);
    ::close(next);
    limit.rlim_cur = static_cast<rlim_t>(next) + more;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_{};
};

class Shortage : public ServerTest {};
TUS_ALL_WAYS(Shortage);

TEST_P(Shortage, ClientsWithoutADescriptorAreTurnedAway) {  // [HTTP-44] [ABUSE-5]
  start();
  std::vector<RawClient> clients;
  {
    auto works = server().connect();
    EXPECT_EQ(works.request("GET", get).status, 200);
    works.send(patch_head("/pull/x", 10) + "hello");
    // An odd number: the last client's own socket takes the last descriptor.
    DescriptorLimit limit(21);
    for (int i = 0; i < 11; ++i) {
      clients.push_back(server().connect());
      // With a request, none of them makes room for another one.
      if (i < 10) clients.back().send(patch_head("/pull/x", 10) + "hello");
    }
    EXPECT_EQ(clients.back().read_response("GET").status, 503);
    EXPECT_TRUE(clients.back().closed_by_peer());
    works.send("world");
    EXPECT_EQ(works.read_response("PATCH").body, "helloworld");
  }
  clients.clear();
  auto again = server().connect();
  EXPECT_EQ(again.request("GET", get).status, 200);
}

TEST_P(Shortage, IdleConnectionsMakeRoom) {  // [HTTP-44] [ABUSE-5]
  start();
  auto idle = server().connect();
  EXPECT_EQ(idle.request("GET", get).status, 200);
  std::vector<RawClient> clients;
  DescriptorLimit limit(21);
  for (int i = 0; i < 11; ++i) clients.push_back(server().connect());
  EXPECT_EQ(clients.back().request("GET", get).status, 200);
  EXPECT_TRUE(idle.closed_by_peer());
}

TEST_P(Shortage, BodiesArriveWithoutPipes) {
  start();
  auto client = server().connect();
  EXPECT_EQ(client.request("PATCH", patch("/files/x", "hello")).status, 200);
  auto body = pattern(300000);
  DescriptorLimit limit(1);  // for the file
  EXPECT_TRUE(same_bytes(client.request("PATCH", patch("/files/x", body)).body, body));
}

// As when a disk hangs.
TEST_P(Shortage, AFullPoolIsSaidAtOnce) {  // [ABUSE-42] [HTTP-44]
  start();
  auto client = server().connect();
  EXPECT_EQ(client.request("GET", get).status, 200);
  std::promise<void> gate;
  const auto opened = gate.get_future().share();
  const auto threads = server().pool().figures().threads;
  for (unsigned i = 0; i < threads * 258; ++i) {
    server().pool().submit_slow([opened](std::span<std::byte>) { opened.wait(); });
  }
  const auto refused = client.request("GET", get);
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.body.starts_with("ERR_OVERLOADED"));
  EXPECT_EQ(refused.field("Retry-After"), "5");
  EXPECT_EQ(client.request("GET", "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  gate.set_value();
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (server().pool().is_crowded() && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  EXPECT_EQ(client.request("GET", get).status, 200);
}

}  // namespace
}  // namespace tus::http_tests
