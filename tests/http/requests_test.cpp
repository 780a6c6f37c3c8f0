#include "tests/http/test_server.h"

#include <thread>

namespace tus::http_tests {
namespace {

using namespace std::chrono_literals;

std::string state_text(BodyState state) { return std::to_string(static_cast<int>(state)); }

class Requests : public ServerTest {};
TUS_ALL_WAYS(Requests);

TEST_P(Requests, BodiesOfAnySizeArriveWhole) {
  auto client = start().connect();
  for (std::size_t size : {0u, 1u, 100u, 3900u, 4096u, 5000u, 16384u, 65536u, 70000u, 1u << 20}) {
    auto body = pattern(size);
    for (auto path : {"/files/x", "/pull/x"}) {
      auto response = client.request("PATCH", patch(path, body));
      EXPECT_EQ(response.status, 200);
      EXPECT_TRUE(same_bytes(response.body, body)) << path << " " << size;
    }
  }
}

TEST_P(Requests, ChunkedBodiesArriveWhole) {
  auto client = start().connect();
  for (auto [size, chunk] : {std::pair{0u, 1u},
                             {1u, 1u},
                             {300u, 1u},
                             {5000u, 10u},
                             {70000u, 4096u},
                             {500000u, 100000u}}) {
    auto body = pattern(size);
    for (std::string path : {"/files/x", "/pull/x"}) {
      client.send("PATCH " + path + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
      client.send(chunked(body, chunk, "Upload-Checksum: sha1 x\r\n"));
      auto response = client.read_response("PATCH");
      EXPECT_EQ(response.status, 200);
      EXPECT_TRUE(same_bytes(response.body, body)) << path << " " << size << " in " << chunk;
      EXPECT_EQ(response.field("X-Trailers"), "Upload-Checksum=sha1 x;");
    }
  }
}

TEST_P(Requests, PipelinedRequestsAreAnsweredInOrder) {  // [HTTP-15]
  auto client = start().connect();
  auto big = pattern(200000);
  std::string wire = patch("/files/1", "hello") + std::string(get) + patch("/files/2", big) +
                     "PATCH /files/3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                     chunked(big, 70000) + patch("/pull/4", "") + patch("/early/404", "skipped") +
                     patch("/files/5", "last");
  std::thread sender([&] { client.send(wire); });
  EXPECT_EQ(client.read_response("PATCH").body, "hello");
  EXPECT_EQ(client.read_response("GET").field("X-Target"), "/files/next");
  EXPECT_TRUE(same_bytes(client.read_response("PATCH").body, big));
  EXPECT_TRUE(same_bytes(client.read_response("PATCH").body, big));
  EXPECT_EQ(client.read_response("PATCH").field("X-Target"), "/pull/4");
  EXPECT_EQ(client.read_response("PATCH").status, 404);
  EXPECT_EQ(client.read_response("PATCH").body, "last");
  sender.join();
}

TEST_P(Requests, OneByteAtATime) {  // [HTTP-15]
  auto client = start().connect();
  std::string wire = "\r\n" + patch("/files/1", "hello") +
                     "PATCH /files/2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                     chunked("hello world", 4, "A: b\r\n") + std::string(get);
  for (char c : wire) {
    client.send({&c, 1});
    client.readable(1ms);  // so that it leaves alone
  }
  EXPECT_EQ(client.read_response("PATCH").body, "hello");
  auto second = client.read_response("PATCH");
  EXPECT_EQ(second.body, "hello world");
  EXPECT_EQ(second.field("X-Trailers"), "A=b;");
  EXPECT_EQ(client.read_response("GET").status, 200);
}

TEST_P(Requests, RefusedHeadsAreAnsweredAndClosed) {  // [HTTP-2] [HTTP-8] [HTTP-11]
  start();
  const std::pair<std::string, int> rows[] = {
      {"PATCH /files/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: "
       "chunked\r\n\r\n"
       "0\r\n\r\n" +
           std::string(get),
       400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"GET / HTTP/1.1\nHost: h\n\n", 400},
      {"\x16\x03\x01", 400},
      {"GET /" + std::string(9000, 'x'), 414},
      {"GET / HTTP/1.1\r\nA: " + std::string(40000, 'x') + "\r\n\r\n", 431},
      {"PATCH /files/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"PATCH /files/x HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", 417},
      {patch("/files/x", "hello", "Content-Length: 5\r\n"), 400},
  };
  for (const auto& [wire, status] : rows) {
    auto client = server().connect();
    client.send(wire);
    auto response = client.read_response("GET");
    EXPECT_EQ(response.status, status) << wire.substr(0, 100);
    EXPECT_EQ(response.field("Connection"), "close");
    EXPECT_EQ(response.field("Tus-Resumable"), "1.0.0");
    EXPECT_NE(response.field("Date"), "");
    EXPECT_TRUE(response.body.starts_with("ERR_")) << response.body;
    EXPECT_TRUE(client.closed_by_peer()) << wire.substr(0, 100);
  }
}

TEST_P(Requests, RefusedHeadsOfHeadHaveNoBody) {  // [HTTP-29] [CORE-13]
  start();
  for (std::string wire : {"HEAD /files/x HTTP/1.1\r\n\r\n",
                           "\r\nHEAD /files/x HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n"}) {
    auto client = server().connect();
    client.send(wire);
    auto response = client.read_response("HEAD");
    EXPECT_GE(response.status, 400);
    EXPECT_EQ(response.field("Cache-Control"), "no-store");
    EXPECT_EQ(client.read_to_end(), "");
  }
  auto client = server().connect();
  EXPECT_EQ(
      client.request("HEAD", "HEAD /nothing HTTP/1.1\r\nHost: h\r\n\r\n").field("Cache-Control"),
      "no-store");
}

TEST_P(Requests, BrokenChunksEndTheBody) {  // [HTTP-9]
  start();
  for (std::string path : {"/files/x", "/pull/x"}) {
    auto client = server().connect();
    client.send("PATCH " + path + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("5\r\nhello\r\n5\r\nworldX\r\n");
    auto response = client.read_response("PATCH");
    EXPECT_EQ(response.field("X-State"), state_text(BodyState::malformed));
    EXPECT_EQ(response.body, "helloworld");
    EXPECT_EQ(response.field("Connection"), "close");
    EXPECT_TRUE(client.closed_by_peer());
  }
}

TEST_P(Requests, HeadAnswersHaveNoBody) {  // [HTTP-29]
  auto client = start().connect();
  client.send(
      "HEAD /big/1000 HTTP/1.1\r\nHost: h\r\n\r\nHEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
  client.send("GET /early/204 HTTP/1.1\r\nHost: h\r\n\r\n");
  client.send("GET /big/3 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_response("HEAD").field("Content-Length"), "1000");
  EXPECT_EQ(client.read_response("HEAD").status, 404);
  EXPECT_EQ(client.read_response("GET").field("Content-Length"), "");
  EXPECT_EQ(client.read_response("GET").body, pattern(3));
}

TEST_P(Requests, Http10ClosesUnlessAskedOtherwise) {  // [HTTP-16]
  start();
  auto plain = server().connect();
  auto answer = plain.request("GET", "GET /early/200 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(plain.closed_by_peer());

  auto kept = server().connect();
  std::string wire =
      "PATCH /files/x HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n"
      "Content-Length: 5\r\n\r\n";
  kept.send(wire);
  EXPECT_FALSE(kept.readable(100ms));
  kept.send("hello");
  auto response = kept.read_any("PATCH");
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.field("Connection"), "keep-alive");
  EXPECT_EQ(kept.request("GET", "GET /early/200 HTTP/1.0\r\n\r\n").status, 200);
}

TEST_P(Requests, ConnectionClose) {  // [HTTP-17]
  auto client = start().connect();
  auto response = client.request("PATCH", patch("/files/x", "hello", "Connection: close\r\n"));
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.field("Connection"), "close");
  EXPECT_TRUE(client.closed_by_peer());
}

TEST_P(Requests, KeepAliveAfterErrorsWhoseBodyWasRead) {  // [HTTP-17] [HTTP-24]
  auto client = start().connect();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.request("PATCH", patch("/early/409", pattern(100000))).status, 409);
    EXPECT_EQ(client.request("PATCH", patch("/part/10", pattern(1000))).status, 413);
    client.send("PATCH /early/409 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                chunked("hello", 2));
    EXPECT_EQ(client.read_response("PATCH").status, 409);
  }
}

TEST_P(Requests, Routing) {
  auto client = start().connect();
  EXPECT_EQ(client.request("GET", "GET /metrics?x HTTP/1.1\r\nHost: h\r\n\r\n").body, "metrics\n");
  EXPECT_EQ(client.request("GET", "GET /files HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  EXPECT_EQ(client.request("GET", "GET /filesx HTTP/1.1\r\nHost: h\r\n\r\n").status, 404);
  EXPECT_EQ(client.request("GET", "GET http://o/files/ HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  // The exact path wins over a mount that it lies below.
  EXPECT_EQ(client.request("GET", "GET /files/exact HTTP/1.1\r\nHost: h\r\n\r\n").body, "exact\n");
  // The server as a whole is described by what is mounted.
  auto all = client.request("OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(all.status, 200);
  auto none = client.request("GET", "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.body, "ERR_UPLOAD_NOT_FOUND: upload not found\n");
  EXPECT_EQ(none.field("X-Content-Type-Options"), "nosniff");
  EXPECT_NE(none.field("Date"), "");
}

TEST_P(Requests, RequestIdsAndAddresses) {
  auto client = start().connect();
  auto given =
      client.request("GET", "GET /files/ HTTP/1.1\r\nHost: h\r\nX-Request-ID: abc\r\n\r\n");
  EXPECT_EQ(given.field("X-Request-ID"), "abc");
  const auto remote = given.field("X-Remote");
  EXPECT_TRUE(server().port() == 0 ? remote == "@" : remote.starts_with("127.0.0.1:")) << remote;
  auto first = client.request("GET", get).field("X-Request-ID");
  auto second = client.request("GET", get).field("X-Request-ID");
  EXPECT_NE(first, "");
  EXPECT_NE(first, second);
  std::string evil = "GET /files/ HTTP/1.1\r\nHost: h\r\nX-Request-ID: a b\r\n\r\n";
  EXPECT_NE(client.request("GET", evil).field("X-Request-ID"), "a b");
}

TEST_P(Requests, HandlersThatFailAreA500WithoutInsideText) {  // [HTTP-30]
  start();
  for (std::string path : {"/throw/", "/silent/"}) {
    auto client = server().connect();
    auto response = client.request("PATCH", patch(path, "hello"));
    EXPECT_EQ(response.status, 500);
    EXPECT_FALSE(response.body.contains("secret"));
    EXPECT_TRUE(client.closed_by_peer());
  }
}

TEST_P(Requests, AFileThatIsFullEndsTheBody) {  // [HTTP-27]
  start();
  for (std::size_t size : {5u, 100000u, 2000000u}) {
    auto client = server().connect();
    std::thread sender([&] { client.try_send(patch("/full/x", pattern(size))); });
    EXPECT_GE(client.read_response("PATCH").status, 500);
    sender.join();
    EXPECT_EQ(server().records().next()->file_error, ENOSPC);
  }
}

}  // namespace
}  // namespace tus::http_tests
