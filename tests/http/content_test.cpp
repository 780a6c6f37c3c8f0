// Answers whose body comes out of a store: whole, broken, stalled, stopped.
#include "tests/http/test_server.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <thread>
#include <unistd.h>

namespace tus::http_tests {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t large = 8 << 20;  // more than sockets hold

// What streams have done, for tests that count.
struct Use {
  std::atomic<int> open = 0;
  std::atomic<std::size_t> read = 0;
};

struct Script {
  std::string bytes;
  std::size_t breaks_at = std::string::npos;  // an error of the store
  std::size_t ends_at = std::string::npos;    // without a word
  bool sends = false;                         // by itself, from a file
  std::shared_ptr<Use> use = std::make_shared<Use>();
};

class ScriptStream final : public ReadStream {
 public:
  explicit ScriptStream(Script script) : script_(std::move(script)) {
    ++script_.use->open;
    if (!script_.sends) return;
    fd_ = ::memfd_create("content", MFD_CLOEXEC);
    EXPECT_EQ(::write(fd_, script_.bytes.data(), script_.bytes.size()),
              static_cast<ssize_t>(script_.bytes.size()));
  }
  ~ScriptStream() override {
    --script_.use->open;
    if (fd_ >= 0) ::close(fd_);
  }

  Awaitable<Result<std::size_t>> read(std::span<std::byte> into, Deadline) override {
    if (at_ >= script_.breaks_at) co_return fail(ErrorCode::store_unavailable, "told to break");
    const auto n = std::min(into.size(), end() - at_);
    std::memcpy(into.data(), script_.bytes.data() + at_, n);
    at_ += n;
    script_.use->read += n;
    co_return n;
  }
  bool can_send() const noexcept override { return script_.sends; }
  Awaitable<Result<StreamSent>> send_to(int socket, Deadline) override {
    StreamSent sent;
    if (at_ >= script_.breaks_at) co_return fail(ErrorCode::store_unavailable, "told to break");
    auto at = static_cast<off_t>(at_);
    const auto n = ::sendfile(socket, fd_, &at, end() - at_);
    if (n < 0 && errno == EAGAIN) {
      sent.socket_is_full = true;
    } else if (n < 0) {
      sent.socket_error = errno;
    } else {
      sent.bytes = static_cast<std::uint64_t>(n);
      at_ += sent.bytes;
      script_.use->read += sent.bytes;
    }
    co_return sent;
  }

 private:
  std::size_t end() const {
    return std::max(at_, std::min({script_.bytes.size(), script_.breaks_at, script_.ends_at}));
  }

  Script script_;
  int fd_ = -1;
  std::size_t at_ = 0;
};

std::string get_of(std::string_view name) {
  return "GET /content/" + std::string(name) + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

class ContentOut : public ServerTest {
 protected:
  // The streams here are less careful than those of the file store.
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }

  // Serves it under a name; both ways of moving bytes have one.
  void serve(Script script, HttpServerOptions options = {}) {
    start(std::move(options)).set_content([script](std::string_view target) {
      auto mine = script;
      mine.sends = target.ends_with("sent");
      Content content;
      content.length = mine.bytes.size();
      content.stream = std::make_unique<ScriptStream>(std::move(mine));
      return content;
    });
  }
  static constexpr std::string_view names[] = {"read", "sent"};
};
TUS_ALL_WAYS(ContentOut);

TEST_P(ContentOut, ArrivesWholeAndTheConnectionStays) {  // [DL-17]
  Script script;
  for (std::size_t size : {0u, 1u, 1000u, 65536u, 65537u, 3'000'001u}) {
    script.bytes = pattern(size);
    serve(script);
    auto client = server().connect();
    for (int round = 0; round < 3; ++round) {
      for (auto name : names) {
        const auto response = client.request("GET", get_of(name));
        EXPECT_EQ(response.status, 200);
        EXPECT_EQ(response.field("Content-Length"), std::to_string(size));
        EXPECT_TRUE(same_bytes(response.body, script.bytes)) << name;
      }
    }
    EXPECT_EQ(client.request("GET", get).status, 200);
    EXPECT_EQ(script.use->open, 0);
  }
}

TEST_P(ContentOut, PipelinedRequestsAreAnsweredInOrder) {  // [DL-17]
  Script script;
  script.bytes = pattern(500'000);
  serve(script);
  auto client = server().connect();
  client.send(get_of("read") + get_of("sent") + std::string(get));
  EXPECT_TRUE(same_bytes(client.read_response("GET").body, script.bytes));
  EXPECT_TRUE(same_bytes(client.read_response("GET").body, script.bytes));
  EXPECT_EQ(client.read_response("GET").status, 200);
}

TEST_P(ContentOut, NoBodyForHead) {  // [DL-17] [HTTP-29]
  Script script;
  script.bytes = "hello";
  serve(script);
  auto client = server().connect();
  const auto response = client.request("HEAD", "HEAD /content/read HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(response.field("Content-Length"), "5");
  EXPECT_EQ(client.request("GET", get).status, 200);
  EXPECT_EQ(script.use->read, 0u);
}

TEST_P(ContentOut, AStreamThatFailsIsNoWholeBody) {  // [DL-16]
  for (const bool silently : {false, true}) {
    Script script;
    script.bytes = pattern(300'000);
    (silently ? script.ends_at : script.breaks_at) = 200'000;
    serve(script);
    for (auto name : names) {
      auto client = server().connect();
      client.send(get_of(name) + std::string(get));
      const auto all = client.read_to_end();
      const auto body = all.substr(all.find("\r\n\r\n") + 4);
      EXPECT_NE(all.find("Content-Length: 300000\r\n"), std::string::npos);
      EXPECT_TRUE(same_bytes(body, script.bytes.substr(0, 200'000))) << name << silently;
    }
    EXPECT_TRUE(server().wait_for_connections(0));
    EXPECT_EQ(script.use->open, 0);
  }
}

TEST_P(ContentOut, AClientThatTakesNothingIsGivenUp) {  // [DL-18]
  Script script;
  script.bytes = pattern(large);
  HttpServerOptions options;
  options.network_timeout = 300ms;
  serve(script, std::move(options));
  for (auto name : names) {
    auto client = server().connect();
    client.send(get_of(name));
    EXPECT_TRUE(client.readable(10s));
    EXPECT_TRUE(server().wait_for_connections(0)) << name;
    EXPECT_EQ(script.use->open, 0);
    EXPECT_LT(client.read_to_end().size(), large) << "it must not look like all";
  }
}

TEST_P(ContentOut, NothingIsReadForAClientThatTakesNothing) {  // [DL-18]
  Script script;
  script.bytes = pattern(large);
  serve(script);
  auto client = server().connect();
  client.send(get_of("read"));
  auto last = std::size_t{0};
  do {
    last = script.use->read;
    EXPECT_TRUE(client.readable(10s));
    ::poll(nullptr, 0, 100);
  } while (script.use->read != last);
  EXPECT_LT(last, large);
  EXPECT_TRUE(same_bytes(client.read_response("GET").body, script.bytes));
}

TEST_P(ContentOut, AClientThatLeavesFreesTheStream) {  // [DL-18]
  Script script;
  script.bytes = pattern(large);
  serve(script);
  for (auto name : names) {
    for (const bool reset : {true, false}) {
      auto client = server().connect();
      client.send(get_of(name));
      EXPECT_TRUE(client.readable(10s));
      if (reset) {
        client.reset();
      } else {
        client.close();
      }
      EXPECT_TRUE(server().wait_for_connections(0)) << name;
      EXPECT_EQ(script.use->open, 0);
    }
  }
}

TEST_P(ContentOut, AStopLetsItGoOn) {  // [DL-19]
  Script script;
  script.bytes = pattern(large);
  serve(script);
  auto client = server().connect();
  client.send(get_of("sent"));
  ASSERT_TRUE(client.readable(10s));
  EXPECT_LT(server().end_requests(10s), 5s) << "uploads are made safe without waiting for it";
  std::thread stopper([&] { server().stop(10s); });
  const auto response = client.read_response("GET");
  EXPECT_TRUE(same_bytes(response.body, script.bytes));
  EXPECT_TRUE(client.closed_by_peer());
  stopper.join();
}

TEST_P(ContentOut, AStopDoesNotWaitForEver) {  // [DL-19]
  Script script;
  script.bytes = pattern(large);
  serve(script);
  auto client = server().connect();
  client.send(get_of("read"));
  ASSERT_TRUE(client.readable(10s));
  EXPECT_LT(server().stop(300ms), 5s);
  EXPECT_EQ(script.use->open, 0);
  EXPECT_LT(client.read_to_end().size(), large);
}

}  // namespace
}  // namespace tus::http_tests
