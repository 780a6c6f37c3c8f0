// A server without descriptors left says so, and works again when there are some.
#include "tests/http/test_server.h"

#include <sys/resource.h>
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

TEST_P(Shortage, ClientsWithoutADescriptorAreTurnedAway) {  // [HTTP-44]
  start();
  std::vector<RawClient> clients;
  {
    auto works = server().connect();
    EXPECT_EQ(works.request("GET", get).status, 200);
    // An odd number: the last client's own socket takes the last descriptor.
    DescriptorLimit limit(21);
    for (int i = 0; i < 11; ++i) clients.push_back(server().connect());
    EXPECT_EQ(clients.back().read_response("GET").status, 503);
    EXPECT_TRUE(clients.back().closed_by_peer());
    EXPECT_EQ(works.request("GET", get).status, 200);
  }
  clients.clear();
  auto again = server().connect();
  EXPECT_EQ(again.request("GET", get).status, 200);
}

TEST_P(Shortage, BodiesArriveWithoutPipes) {
  start();
  auto client = server().connect();
  EXPECT_EQ(client.request("PATCH", patch("/files/x", "hello")).status, 200);
  auto body = pattern(300000);
  DescriptorLimit limit(1);  // for the file
  EXPECT_TRUE(same_bytes(client.request("PATCH", patch("/files/x", body)).body, body));
}

}  // namespace
}  // namespace tus::http_tests
