// Bodies that are too large to be held in one string.
#include "net/http_client.h"
#include "net/scripted_server_test_kit.h"

#include <tus/runtime.h>
#include <tus/testing/coro_test.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <mutex>

namespace tus::net {
namespace {

using namespace std::chrono_literals;
using test::Peer;
using test::ScriptedServer;
using test::SeenRequest;
using test::Then;
using ::testing::StartsWith;
using tus::testing::run;

const Deadline soon_enough = Deadline::after(std::chrono::steady_clock::now(), 5min);

std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (auto& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

// Uneven ones, some of them empty.
std::vector<std::span<const std::byte>> pieces_of(const std::string& bytes) {
  auto rest = std::as_bytes(std::span(bytes));
  std::vector<std::span<const std::byte>> pieces;
  for (std::size_t size = 0; !rest.empty(); size = size * 3 + 1) {
    pieces.push_back(rest.first(std::min(size, rest.size())));
    rest = rest.subspan(pieces.back().size());
  }
  return pieces;
}

class HttpBodiesTest : public ::testing::Test {
 protected:
  ~HttpBodiesTest() override {
    run(client_.close(Deadline::after(std::chrono::steady_clock::now(), 0ms)));
  }

  HttpRequest put(const ScriptedServer& server, const std::string& bytes) {
    HttpRequest request;
    request.method = "PUT";
    request.url = server.url("/a/../b");
    request.pieces = pieces_of(bytes);
    return request;
  }
  Result<HttpReply> send(HttpRequest request) {
    return run(client_.send(std::move(request), soon_enough));
  }

  EventLoops loops_{1};
  HttpClient client_{loops_.executors()[0], {}};
};

TEST_F(HttpBodiesTest, PiecesAreSentInTheirOrder) {  // [CLIENT-14]
  std::promise<SeenRequest> seen;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    seen.set_value(request);
    peer.reply(200, "fine");
    return Then::keep;
  });
  const auto bytes = bytes_of(5'000'000);
  const auto reply = send(put(server, bytes));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  const auto got = seen.get_future().get();
  EXPECT_EQ(got.line, "PUT /a/../b HTTP/1.1") << "a path is nobody's to tidy up";
  EXPECT_EQ(got.field("Content-Length"), "5000000");
  EXPECT_EQ(got.count("Transfer-Encoding"), 0u);
  EXPECT_EQ(got.count("Content-Type"), 0u);
  EXPECT_EQ(got.count("Expect"), 0u);
  EXPECT_TRUE(got.body == bytes);
}

TEST_F(HttpBodiesTest, PiecesAreSentFromTheirBeginningAgain) {  // [CLIENT-14] [CLIENT-3]
  std::vector<std::string> bodies;
  std::mutex mutex;
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    const std::lock_guard lock(mutex);
    bodies.push_back(request.body);
    if (bodies.size() == 2) return Then::close;  // without a reply, over a connection that was kept
    peer.reply(200, "fine");
    return Then::keep;
  });
  const auto bytes = bytes_of(1'000'000);
  ASSERT_TRUE(send(put(server, bytes)));
  const auto reply = send(put(server, bytes));
  ASSERT_TRUE(reply) << reply.error().detail();
  ASSERT_EQ(bodies.size(), 3u);
  EXPECT_TRUE(bodies[2] == bytes);
}

TEST_F(HttpBodiesTest, NobodyWaitsForAServerThatDoesNothing) {  // [CLIENT-15]
  ScriptedServer server([](Peer& peer, const SeenRequest&) {
    peer.hold();
    return Then::close;
  });
  const auto bytes = bytes_of(100'000);
  auto request = put(server, bytes);
  request.stall = 1s;
  const auto start = std::chrono::steady_clock::now();
  const auto reply = send(std::move(request));
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error().detail(), StartsWith("timeout"));
  // curl's own time begins when the average of five seconds is low.
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST_F(HttpBodiesTest, ACallerThatIsCancelledMayTakeItsBytesAway) {  // [CLIENT-12] [CLIENT-14]
  ScriptedServer server([](Peer& peer, const SeenRequest&) {
    peer.hold();
    return Then::close;
  });
  asio::cancellation_signal signal;
  std::promise<void> over;
  auto executor = loops_.executors()[0];
  {
    auto bytes = std::make_unique<std::string>(bytes_of(24'000'000));
    // A socket of loopback does not take that much: curl still reads when the caller goes.
    auto request = put(server, *bytes);
    request.method = "POST";
    asio::post(executor, [&] {
      asio::co_spawn(executor, client_.send(std::move(request), soon_enough),
                     asio::bind_cancellation_slot(
                         signal.slot(), [&](const std::exception_ptr&, const Result<HttpReply>&) {
                           over.set_value();
                         }));
    });
    while (server.accepted() == 0) std::this_thread::yield();
    asio::post(executor, [&] { signal.emit(asio::cancellation_type::terminal); });
    over.get_future().get();
    bytes.reset();  // ASan looks
  }
  server.stop();
}

// ---- bodies that are not held ----

// Until the end, or until the call fails.
Awaitable<Status> write_all(HttpCall& call, const std::string& bytes, std::size_t piece) {
  auto rest = std::as_bytes(std::span(bytes));
  while (!rest.empty()) {
    const auto next = rest.first(std::min(rest.size(), piece));
    if (auto status = co_await call.write(next, soon_enough); !status) co_return status;
    rest = rest.subspan(next.size());
  }
  co_return Status();
}

Awaitable<Result<std::string>> read_all(HttpCall& call) {
  std::string all;
  std::vector<std::byte> buffer(50'000);
  while (true) {
    const auto got = co_await call.read(buffer, soon_enough);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return all;
    all.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
}

TEST_F(HttpBodiesTest, ABodyIsWrittenAndAReplyIsRead) {  // [CLIENT-16]
  const auto bytes = bytes_of(3'000'001);
  ScriptedServer server([&](Peer& peer, const SeenRequest& request) {
    EXPECT_TRUE(request.body == bytes);
    peer.reply(200, bytes, "text/plain");
    return Then::keep;
  });
  auto request = put(server, {});
  request.method = "PUT";
  for (const std::size_t piece : {1'000ul, 100'000ul, 3'000'001ul}) {
    auto call = client_.open(request, bytes.size());
    ASSERT_TRUE(run(write_all(*call, bytes, piece)));
    const auto head = run(call->head(soon_enough));
    ASSERT_TRUE(head) << head.error().detail();
    EXPECT_EQ(head->status, 200);
    EXPECT_EQ(*head->fields.find("content-type"), "text/plain");
    EXPECT_TRUE(run(read_all(*call)) == bytes);
  }
  EXPECT_EQ(server.accepted(), 1) << "the connection is kept";
}

TEST_F(HttpBodiesTest, ARefusalInTheMiddleOfABodyIsHeard) {  // [CLIENT-16]
  // A server that does not know how long the body is does not wait for it.
  ScriptedServer server(
      [](Peer& peer, const SeenRequest&) {
        peer.reply(403, "no");
        peer.hold();
        return Then::close;
      },
      nullptr, test::Bodies::are_left);
  HttpRequest request;
  request.method = "PUT";
  request.url = server.url();
  auto call = client_.open(request, 100'000'000);
  const auto bytes = bytes_of(1'000'000);
  Status status;
  for (int i = 0; status && i < 99; ++i) status = run(write_all(*call, bytes, 1'000'000));
  EXPECT_FALSE(status) << "nobody wants the rest";
  const auto head = run(call->head(soon_enough));
  ASSERT_TRUE(head) << head.error().detail();
  EXPECT_EQ(head->status, 403);
}

TEST_F(HttpBodiesTest, AServerThatDoesNotReadHoldsUpTheWriter) {  // [CLIENT-16]
  std::promise<void> over;
  auto until = over.get_future().share();
  ScriptedServer server(
      [until](Peer&, const SeenRequest&) {
        until.wait();
        return Then::close;
      },
      nullptr, test::Bodies::are_left);
  HttpRequest request;
  request.method = "PUT";
  request.url = server.url();
  auto call = client_.open(request, 1'000'000'000);
  const std::string bytes(1'000'000, 'x');
  std::size_t written = 0;
  Status status;
  while (status && written < 500'000'000) {
    status = run(call->write(std::as_bytes(std::span(bytes)),
                             Deadline::after(std::chrono::steady_clock::now(), 500ms)));
    written += bytes.size();
  }
  EXPECT_LT(written, 100'000'000u);
  over.set_value();
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().detail(), StartsWith("timeout"));
}

TEST_F(HttpBodiesTest, ACallMayBeGivenUpAtAnyTime) {  // [CLIENT-16] [CLIENT-12]
  const auto bytes = bytes_of(2'000'000);
  ScriptedServer server([&](Peer& peer, const SeenRequest&) {
    peer.reply(200, bytes);
    return Then::keep;
  });
  for (int stage = 0; stage < 20; ++stage) {
    auto piece = std::make_unique<std::string>(bytes);
    auto call = client_.open(put(server, {}), bytes.size());
    if (stage % 4 >= 1) (void)run(call->write(std::as_bytes(std::span(*piece)), soon_enough));
    piece.reset();
    if (stage % 4 >= 2) (void)run(call->head(soon_enough));
    std::vector<std::byte> buffer(1000);
    if (stage % 4 >= 3) (void)run(call->read(buffer, soon_enough));
  }
  auto last = client_.open(put(server, {}), bytes.size());
  ASSERT_TRUE(run(write_all(*last, bytes, 100'000)));
  ASSERT_TRUE(run(last->head(soon_enough)));
  EXPECT_TRUE(run(read_all(*last)) == bytes);
}

TEST_F(HttpBodiesTest, AReplyThatBreaksOffIsAnError) {  // [CLIENT-16] [CLIENT-7]
  ScriptedServer server([](Peer& peer, const SeenRequest&) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
    return Then::close;
  });
  HttpRequest request;
  request.url = server.url();
  auto call = client_.open(request, std::nullopt);
  ASSERT_TRUE(run(call->head(soon_enough)));
  const auto all = run(read_all(*call));
  ASSERT_FALSE(all);
  EXPECT_THAT(all.error().detail(), StartsWith("connection lost"));
}

}  // namespace
}  // namespace tus::net
