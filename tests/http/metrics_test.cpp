// What the server tells about its requests: figures, and lines of the access log.
#include "tests/http/test_server.h"

#include <tus/testing/counting_metrics.h>

#include <gmock/gmock.h>

#include <charconv>
#include <map>
#include <thread>

namespace tus::http_tests {
namespace {

using testing::CountingMetrics;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The fields of each line.
class LinesLogger final : public Logger {
 public:
  using Line = std::map<std::string, std::string>;

  bool enabled(LogLevel level) const noexcept override { return level >= LogLevel::info; }
  void log(LogLevel, std::string_view event,
           std::initializer_list<LogField> fields) noexcept override {
    if (event != "Access") return;
    Line line;
    for (const auto& field : fields) line.emplace(field.key, field.value);
    std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<Line> lines() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Line> lines_;
};

// A client has its answer before the server says so.
template <class Condition>
bool soon(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

class Figures : public ServerTest {
 protected:
  TestServer& start_counting() {
    TestServer::Options options;
    options.metrics = metrics_;
    options.logger = logger_;
    options.http.access_log = true;
    return start(std::move(options));
  }
  CountingMetrics::Numbers after_requests(std::size_t count) {
    EXPECT_TRUE(soon([&] { return metrics_->numbers().requests.size() >= count; }));
    EXPECT_TRUE(soon([&] { return metrics_->numbers().ended == metrics_->numbers().begun; }));
    return metrics_->numbers();
  }
  LinesLogger::Line line(std::size_t index) {
    EXPECT_TRUE(soon([&] { return logger_->lines().size() > index; }));
    const auto lines = logger_->lines();
    return index < lines.size() ? lines[index] : LinesLogger::Line();
  }

  std::shared_ptr<CountingMetrics> metrics_ = std::make_shared<CountingMetrics>();
  std::shared_ptr<LinesLogger> logger_ = std::make_shared<LinesLogger>();
};

TEST_P(Figures, BytesByTheWayTheyTook) {  // [METRIC-3]
  auto client = start_counting().connect();
  const auto body = pattern(300'000);
  EXPECT_EQ(client.request("PATCH", patch("/files/a", body)).status, 200);
  auto seen = after_requests(1);
  EXPECT_EQ(seen.bodies[0] + seen.bodies[1], body.size());
  if (GetParam().zero_copy == ZeroCopy::never) {
    EXPECT_EQ(seen.bodies[static_cast<int>(BytePath::spliced)], 0u);
  } else {
    // What came with the head was copied.
    EXPECT_GE(seen.bodies[static_cast<int>(BytePath::spliced)], body.size() - 4096);
  }
  ASSERT_EQ(seen.first_bytes.size(), 1u);
  EXPECT_GE(seen.first_bytes[0].count(), 0);
  EXPECT_LE(seen.first_bytes[0], seen.requests[0].duration);

  const auto before = seen;
  EXPECT_EQ(
      client
          .request("PATCH",
                   "PATCH /files/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                       chunked(body, 1000))
          .status,
      200);
  seen = after_requests(2);
  EXPECT_EQ(seen.bodies[0] + seen.bodies[1] - before.bodies[0] - before.bodies[1], body.size())
      << "without framing";
  EXPECT_EQ(seen.first_bytes.size(), 2u);

  EXPECT_EQ(client.request("GET", get).status, 200);
  EXPECT_EQ(after_requests(3).first_bytes.size(), 2u)
      << "a request without a body has no first byte";
}

TEST_P(Figures, BytesThatNobodyWantedAreNone) {  // [METRIC-3]
  auto client = start_counting().connect();
  EXPECT_EQ(client.request("PATCH", patch("/early/413", pattern(100'000))).status, 413);
  const auto seen = after_requests(1);
  EXPECT_EQ(seen.bodies[0] + seen.bodies[1], 0u);
  EXPECT_THAT(seen.first_bytes, IsEmpty());
}

TEST_P(Figures, RequestsByMethodAndStatus) {  // [METRIC-4]
  auto client = start_counting().connect();
  client.request("PATCH", patch("/files/a", "abc"));
  client.request("POST", patch("/files/a", "abc", "X-HTTP-Method-Override: DELETE\r\n"));
  client.request("GET", "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
  client.request("GET", "GET /files/exact?x HTTP/1.1\r\nHost: h\r\n\r\n");
  client.request("PATCH", patch("/early/404", ""));
  const auto seen = after_requests(3);
  EXPECT_EQ(seen.requests.size(), 3u) << "pages about the server are no requests for uploads";
  EXPECT_EQ(seen.begun, 3);
  EXPECT_EQ(seen.requests[0].method, "PATCH");
  EXPECT_EQ(seen.requests[0].status, 200);
  EXPECT_GT(seen.requests[0].duration.count(), 0);
  EXPECT_EQ(seen.requests[1].method, "DELETE");
  EXPECT_EQ(seen.requests[2].status, 404);
  EXPECT_THAT(seen.rejected, IsEmpty());
  EXPECT_EQ(seen.connections_opened, 1);
}

TEST_P(Figures, RequestsThatNobodyUnderstood) {  // [METRIC-4] [ACCESS-1]
  auto client = start_counting().connect();
  EXPECT_EQ(client.request("GET", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n").status, 400);
  const auto told = line(0);
  EXPECT_EQ(told.at("status"), "400");
  EXPECT_EQ(told.at("method"), "");
  EXPECT_NE(told.at("remote"), "");
  EXPECT_NE(told.at("bytesOut"), "0");
  EXPECT_THAT(metrics_->numbers().rejected, ElementsAre(400));
  EXPECT_THAT(metrics_->numbers().requests, IsEmpty());
}

TEST_P(Figures, ALineForEveryRequest) {  // [ACCESS-1]
  auto client = start_counting().connect();
  const auto body = pattern(50'000);
  const auto answer =
      client.request("PATCH", patch("/files/a?b=c", body, "X-Request-ID: mine\r\n"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(client.request("GET", "GET /big/70000 HTTP/1.1\r\nHost: h\r\n\r\n").body.size(),
            70'000u);
  client.request("HEAD", "HEAD /big/70000 HTTP/1.1\r\nHost: h\r\n\r\n");
  client.request("GET", "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
  client.request("PATCH",
                 "PATCH /files/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                     chunked("abcde", 2));
  auto told = line(0);
  EXPECT_EQ(told.at("method"), "PATCH");
  EXPECT_EQ(told.at("path"), "/files/a?b=c");
  EXPECT_EQ(told.at("status"), "200");
  EXPECT_EQ(told.at("bytesIn"), "50000");
  EXPECT_EQ(told.at("bytesOut"), std::to_string(answer.body.size()));
  EXPECT_EQ(told.at("requestId"), "mine");
  EXPECT_NE(told.at("remote"), "");
  EXPECT_EQ(told.at("broken"), "");
  std::int64_t micros = -1;
  const auto& duration = told.at("durationUs");
  std::from_chars(duration.data(), duration.data() + duration.size(), micros);
  EXPECT_GT(micros, 0);
  EXPECT_LT(micros, 60'000'000);
  EXPECT_EQ(line(1).at("bytesOut"), "70000");
  EXPECT_EQ(line(2).at("method"), "HEAD");
  EXPECT_EQ(line(2).at("bytesOut"), "0");
  EXPECT_EQ(line(3).at("path"), "/metrics");
  EXPECT_EQ(line(4).at("bytesIn"), "5") << "without framing";
  EXPECT_EQ(logger_->lines().size(), 5u);
}

TEST_P(Figures, AClientThatGoes) {  // [ACCESS-2]
  auto& server = start_counting();
  {
    auto client = server.connect();
    client.send("GET /big/50000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(client.readable(std::chrono::seconds(10)));
    client.reset();
  }
  EXPECT_EQ(line(0).at("broken"), "true");
  EXPECT_EQ(line(0).at("status"), "200");
  {
    auto client = server.connect();
    client.send(patch_head("/files/half", 1000) + "12345");
    EXPECT_TRUE(server.records().wait_for_progress(5));
    client.reset();
  }
  EXPECT_EQ(line(1).at("bytesIn"), "5");
  EXPECT_EQ(line(1).at("path"), "/files/half");
  const auto seen = after_requests(2);
  EXPECT_EQ(seen.begun, 2);
  EXPECT_EQ(seen.ended, 2);
}

TEST_P(Figures, NoLineUnlessItIsAskedFor) {  // [ACCESS-1]
  TestServer::Options options;
  options.metrics = metrics_;
  options.logger = logger_;
  auto client = start(std::move(options)).connect();
  client.request("GET", get);
  client.request("GET", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n");
  after_requests(1);
  EXPECT_TRUE(client.closed_by_peer());
  EXPECT_THAT(logger_->lines(), IsEmpty());
}

TUS_ALL_WAYS(Figures);

}  // namespace
}  // namespace tus::http_tests
