// Where it matters when a byte is sent: expectations, silence, take-over.
#include "tests/conformance/http_house.h"

#include <tus/memory_locker.h>
#include <tus/memory_store.h>
#include <tus/testing/raw_client.h>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace tus::conformance {
namespace {

using testing::RawClient;
using testing::RawResponse;

const std::string common = " HTTP/1.1\r\nHost: example.org\r\nTus-Resumable: 1.0.0\r\n";
const std::string content = "Content-Type: application/offset+octet-stream\r\n";

class HttpFlow : public ::testing::Test {
 protected:
  HttpHouse& house() {
    if (!house_) {
      server_options.live = live;
      HandlerOptions options;
      options.live = live;
      HandlerParts parts;
      parts.store = make_memory_store();
      parts.locker = make_memory_locker();
      house_.emplace(options, std::move(parts), server_options);
    }
    return *house_;
  }

  std::string create(RawClient& client, std::size_t length) {
    const auto response = client.request(
        "POST", "POST /files/" + common + "Upload-Length: " + std::to_string(length) + "\r\n\r\n");
    EXPECT_EQ(response.status, 201);
    return response.field("Location").substr(std::string("http://example.org").size());
  }

  static std::string patch(const std::string& path, std::size_t offset, std::size_t length,
                           const std::string& more = "") {
    return "PATCH " + path + common + content + "Upload-Offset: " + std::to_string(offset) +
           "\r\nContent-Length: " + std::to_string(length) + "\r\n" + more + "\r\n";
  }

  static std::string offset_of(RawClient& client, const std::string& path) {
    return client.request("HEAD", "HEAD " + path + common + "\r\n").field("Upload-Offset");
  }

  HttpServerOptions server_options;
  std::shared_ptr<LiveSettings> live;  // none: the values of the options

 private:
  std::optional<HttpHouse> house_;
};

// [STOP-5]
TEST_F(HttpFlow, LimitsChangeWhileTheServerRuns) {
  live = std::make_shared<LiveSettings>();
  RawClient client(house().port());
  const auto path = create(client, 100);
  live->max_size = 50;
  EXPECT_EQ(client.request("OPTIONS", "OPTIONS /files/" + common + "\r\n").field("Tus-Max-Size"),
            "50");
  EXPECT_EQ(client.request("POST", "POST /files/" + common + "Upload-Length: 51\r\n\r\n").status,
            413);
  EXPECT_EQ(client.request("PATCH", patch(path, 0, 60) + std::string(60, 'x')).status, 204)
      << "its length was accepted";
  live->max_size = 0;
  EXPECT_EQ(client.request("OPTIONS", "OPTIONS /files/" + common + "\r\n").field("Tus-Max-Size"),
            "");
  create(client, 51);

  live->network_timeout = std::chrono::milliseconds(150);
  const auto begun = std::chrono::steady_clock::now();
  client.send(patch(path, 60, 40) + "x");
  EXPECT_EQ(client.read_response("PATCH").status, 500);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
}

const std::string expect = "Expect: 100-continue\r\n";

// [HTTP-18] [HTTP-20]
TEST_F(HttpFlow, a_patch_that_will_be_taken_is_asked_for_its_body) {
  RawClient client(house().port());
  const auto path = create(client, 5);
  client.send(patch(path, 0, 5, expect));
  EXPECT_EQ(client.read_any("PATCH").status, 100);
  client.send("hello");
  const auto response = client.read_any("PATCH");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.field("Upload-Offset"), "5");
}

// [HTTP-19] [CORE-16] [CORE-27]
TEST_F(HttpFlow, a_patch_that_will_be_refused_is_not) {
  RawClient setup(house().port());
  const auto path = create(setup, 5);
  for (const auto& [request, status] :
       {std::pair(patch(path, 3, 2, expect), 409), std::pair(patch(path, 0, 6, expect), 413),
        std::pair(patch("/files/nothing", 0, 5, expect), 404)}) {
    RawClient client(house().port());
    client.send(request);
    EXPECT_EQ(client.read_any("PATCH").status, status) << request;
  }
  EXPECT_EQ(offset_of(setup, path), "0");
}

// [CREATE-47]
TEST_F(HttpFlow, a_creation_is_asked_for_its_body_after_all_checks) {
  const auto post = [](const std::string& length) {
    return "POST /files/" + common + content + length + "Content-Length: 5\r\n" + expect + "\r\n";
  };
  RawClient good(house().port());
  good.send(post("Upload-Length: 5\r\n"));
  EXPECT_EQ(good.read_any("POST").status, 100);
  good.send("hello");
  const auto created = good.read_any("POST");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.field("Upload-Offset"), "5");
  for (const auto& [length, status] :
       {std::pair("Upload-Length: 4\r\n", 413), std::pair("Upload-Length: x\r\n", 400)}) {
    RawClient bad(house().port());
    bad.send(post(length));
    EXPECT_EQ(bad.read_any("POST").status, status) << length;
  }
}

// [CORE-21] [CORE-22]
TEST_F(HttpFlow, a_silent_body_is_given_up_and_what_arrived_is_kept) {
  server_options.network_timeout = std::chrono::milliseconds(150);
  RawClient control(house().port());
  const auto path = create(control, 10);
  RawClient silent(house().port());
  const auto response = silent.request("PATCH", patch(path, 0, 10) + "1234");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body, "ERR_READ_TIMEOUT: timeout while reading request body\n");
  EXPECT_EQ(response.field("Upload-Offset"), "4");
  EXPECT_EQ(response.field("Connection"), "close");
  EXPECT_TRUE(silent.closed_by_peer());
  RawClient later(house().port());
  EXPECT_EQ(offset_of(later, path), "4");
  EXPECT_EQ(later.request("PATCH", patch(path, 4, 6) + "567890").field("Upload-Offset"), "10");
}

// [LOCK-1] The newcomer does not wait for the silent one, and the answers of both are true.
TEST_F(HttpFlow, a_newcomer_takes_over_from_a_silent_one) {
  const std::string bytes = "1234567890";
  RawClient fresh(house().port());
  const auto path = create(fresh, bytes.size());
  RawClient silent(house().port());
  silent.send(patch(path, 0, bytes.size(), expect));
  EXPECT_EQ(silent.read_any("PATCH").status, 100) << "from here on it holds the upload";
  silent.send(bytes.substr(0, 4));
  // Whether the four bytes were seen before the take-over is a race that the server may decide.
  const auto offset = offset_of(fresh, path);
  const auto interrupted = silent.read_response("PATCH");
  EXPECT_EQ(interrupted.status, 423);
  EXPECT_EQ(interrupted.field("Retry-After"), "1");
  EXPECT_EQ(interrupted.field("Upload-Offset"), offset);
  EXPECT_TRUE(interrupted.body.starts_with("ERR_UPLOAD_INTERRUPTED: "));
  const auto from = std::stoul(offset);
  ASSERT_LE(from, 4u);
  const auto rest = bytes.substr(from);
  const auto done = fresh.request("PATCH", patch(path, from, rest.size()) + rest);
  EXPECT_EQ(done.status, 204);
  EXPECT_EQ(done.field("Upload-Offset"), "10");
}

}  // namespace
}  // namespace tus::conformance
