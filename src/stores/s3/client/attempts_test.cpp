// What is tried again, and when it is given up.
#include "stores/s3/client/client_test_kit.h"

#include <chrono>

namespace tus::s3::test {
namespace {

using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

const ObjectName name{"buck", "id.info"};
const std::string fine = reply(200, "", "ETag: \"e\"\r\n");
const std::string body = "the body";

class S3AttemptsTest : public ClientTest {
 protected:
  Answer<std::string> put(Deadline deadline = in(60s)) {
    return run(s3().put_object(name, payload_of(body), {}, {}, deadline));
  }
};

TEST_F(S3AttemptsTest, WhatMayPassIsTriedAgain) {  // [S3CLIENT-6]
  serve_all({error(500, "InternalError"), reply(502, ""), error(503, "SlowDown"), reply(504, ""),
             reply(429, ""), error(400, "RequestTimeout"), "", html(503), fine});
  const auto put_it = put();
  ASSERT_TRUE(put_it) << put_it.error().detail;
  const auto all = seen();
  EXPECT_EQ(all.size(), 9u);
  for (const auto& request : all) EXPECT_EQ(request.body, body);
}

TEST_F(S3AttemptsTest, WhatStaysIsNotTriedAgain) {  // [S3CLIENT-6]
  serve(error(403, "AccessDenied"));
  const auto refused = put();
  EXPECT_EQ(refused.error().trouble, Trouble::refused);
  EXPECT_THAT(refused.error().detail,
              HasSubstr("PutObject buck/id.info: 403 AccessDenied, why, request id REQ1"));
  EXPECT_EQ(seen().size(), 1u);
}

TEST_F(S3AttemptsTest, AttemptsEndWithTheDeadline) {  // [S3CLIENT-6]
  options_.first_pause = 20ms;
  options_.longest_pause = 20ms;
  options_.attempts = 1'000'000;
  serve(error(503, "SlowDown"));
  const auto start = std::chrono::steady_clock::now();
  const auto given_up = put(in(300ms));
  EXPECT_EQ(given_up.error().trouble, Trouble::unavailable);
  // The last one may be cut off by the deadline.
  EXPECT_THAT(given_up.error().detail, AnyOf(HasSubstr("503 SlowDown"), HasSubstr("timeout")));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
  EXPECT_GT(seen().size(), 1u);
}

TEST_F(S3AttemptsTest, AttemptsAreCounted) {  // [S3CLIENT-6]
  options_.attempts = 3;
  serve(error(503, "SlowDown"));
  EXPECT_THAT(put(Deadline::never()).error().detail, HasSubstr("after attempt 3"));
  EXPECT_EQ(seen().size(), 3u);
}

TEST_F(S3AttemptsTest, RetryAfterIsHeeded) {  // [S3CLIENT-6]
  serve_all({reply(503, "", "Retry-After: 1\r\n"), fine});
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(put());
  EXPECT_GE(std::chrono::steady_clock::now() - start, 1s);
}

TEST_F(S3AttemptsTest, AnAttemptThatHangsLeavesTimeForAnother) {  // [S3CLIENT-7]
  options_.stall = 1s;
  serve([](Peer& peer, const SeenRequest&, int number) {
    if (number == 1) {
      peer.hold();
      return Then::close;
    }
    peer.send(fine);
    return Then::keep;
  });
  EXPECT_TRUE(put());
  EXPECT_EQ(seen().size(), 2u);
}

TEST_F(S3AttemptsTest, ALargeBodyThatNobodyTakesIsNotSentForever) {  // [S3CLIENT-7]
  options_.stall = 1s;
  options_.patience = 500ms;
  serve([](Peer& peer, const SeenRequest&, int) {
    peer.hold();
    return Then::close;
  });
  const std::string large(40'000, 'x');
  const auto start = std::chrono::steady_clock::now();
  const auto given_up = run(s3().put_object(name, payload_of(large), {}, {}, Deadline::never()));
  EXPECT_EQ(given_up.error().trouble, Trouble::unavailable);
  EXPECT_THAT(given_up.error().detail, HasSubstr("after attempt 1"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

TEST_F(S3AttemptsTest, AnAttemptThatTakesTooLongLeavesTimeForAnother) {  // [S3CLIENT-7]
  options_.attempt_timeout = 500ms;
  serve([](Peer& peer, const SeenRequest&, int number) {
    if (number == 1) {
      peer.send("HTTP/1.1 200 OK\r\n");
      peer.hold();
      return Then::close;
    }
    peer.send(fine);
    return Then::keep;
  });
  EXPECT_TRUE(put());
  EXPECT_EQ(seen().size(), 2u);
}

TEST_F(S3AttemptsTest, AServerThatNeverAnswersEndsTheCallAtItsDeadline) {  // [S3CLIENT-7]
  serve([](Peer& peer, const SeenRequest&, int) {
    peer.hold();
    return Then::close;
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(put(in(200ms)).error().trouble, Trouble::unavailable);
  EXPECT_EQ(run(s3().open_object(name, std::nullopt, in(200ms))).error().trouble,
            Trouble::unavailable);
  EXPECT_EQ(run(s3().complete_multipart({name, "u"}, {}, in(200ms))).error().trouble,
            Trouble::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

TEST_F(S3AttemptsTest, NobodyListens) {  // [S3CLIENT-6]
  const net::test::SilentPort port;
  options_.endpoint.url = "http://127.0.0.1:" + std::to_string(port.port());
  options_.attempts = 2;
  const auto put_it = put();
  EXPECT_EQ(put_it.error().trouble, Trouble::unavailable);
  EXPECT_THAT(put_it.error().detail, HasSubstr("cannot connect"));
}

TEST_F(S3AttemptsTest, TheClockOfS3IsTakenOver) {                    // [S3CLIENT-8]
  const auto clock = std::make_shared<tus::testing::ManualClock>();  // 2026-01-02
  parts_.clock = clock;
  serve([](Peer& peer, const SeenRequest& request, int) {
    const bool right = request.field("x-amz-date") == "20260102T010000Z";
    peer.send(right ? fine
                    : reply(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>",
                            "Date: Fri, 02 Jan 2026 01:00:00 GMT\r\n"));
    return Then::keep;
  });
  ASSERT_TRUE(put());
  EXPECT_EQ(seen().size(), 2u);
  ASSERT_TRUE(put());
  EXPECT_EQ(seen().size(), 3u) << "it is remembered";
  EXPECT_THAT(log_->text(), HasSubstr("S3ClockDiffers seconds=3600 s3_is=ahead"));
}

TEST_F(S3AttemptsTest, AClockThatStaysWrongIsARefusal) {  // [S3CLIENT-8]
  serve(reply(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>"));
  EXPECT_EQ(put().error().trouble, Trouble::refused);
  EXPECT_EQ(seen().size(), 2u);
}

TEST_F(S3AttemptsTest, AConditionThatFailsAfterALostAnswerIsNotCertain) {  // [S3CLIENT-11]
  const auto put_new = [this] {
    return run(
        s3().put_object(name, payload_of(body), {}, {.if_match = {}, .if_absent = true}, in(60s)));
  };
  serve_all({"", error(412, "PreconditionFailed")});
  EXPECT_EQ(put_new().error().trouble, Trouble::unavailable) << "it may be ours";
  end_client();
  serve_all({error(412, "PreconditionFailed")});
  EXPECT_EQ(put_new().error().trouble, Trouble::changed);
}

TEST_F(S3AttemptsTest, TheLogTellsWhatFailedAndNoSecret) {  // [S3CLIENT-16]
  serve_all({error(503, "SlowDown"), fine});
  ASSERT_TRUE(put());
  const auto text = log_->text();
  EXPECT_THAT(text, HasSubstr("S3CallFailed operation=PutObject bucket=buck key=id.info attempt=1 "
                              "status=503"));
  EXPECT_THAT(text, HasSubstr("request_id=REQ1"));
  EXPECT_THAT(text, Not(HasSubstr("THESECRET")));
  EXPECT_THAT(text, Not(HasSubstr("S3Call "))) << "what works is no news";
}

TEST_F(S3AttemptsTest, EveryAttemptIsLoggedWhenItIsWanted) {  // [S3CLIENT-16]
  options_.log_api_calls = true;
  serve_all({error(404, "NoSuchKey")});
  EXPECT_EQ(run(s3().get_object(name, 10, "", in(60s))).error().trouble, Trouble::missing);
  EXPECT_THAT(log_->text(), HasSubstr("S3Call operation=GetObject bucket=buck key=id.info"));
}

TEST_F(S3AttemptsTest, CallsAreReportedUnderTheLabelsOfTusd) {  // [S3CLIENT-17]
  serve_all({error(503, "SlowDown"), fine});
  ASSERT_TRUE(put());
  const auto all = observer_->all();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].label, "put_info_object");
  EXPECT_EQ(all[0].report.attempts, 2);
  EXPECT_EQ(all[0].report.bytes_sent, 2 * body.size());
  EXPECT_FALSE(all[0].report.trouble);
  EXPECT_GT(all[0].report.duration.count(), 0);
  EXPECT_EQ(label_of(Operation::head_object, "x.part"), "head_part_object");
  EXPECT_EQ(label_of(Operation::get_object, "x"), "get_object");
  EXPECT_EQ(label_of(Operation::upload_part, "x.part"), "upload_part");
  EXPECT_EQ(label_of(Operation::complete_multipart_upload, "x"), "complete_multipart_upload");
}

class FailingKeys final : public CredentialsProvider {
 public:
  explicit FailingKeys(Trouble trouble) : trouble_(trouble) {}
  Awaitable<Answer<std::shared_ptr<const Credentials>>> get(Deadline) override {
    ++asked;
    co_return trouble(trouble_, "there are no credentials: set X");
  }
  std::atomic<int> asked = 0;

 private:
  Trouble trouble_;
};

TEST_F(S3AttemptsTest, WithoutKeysNothingIsSent) {  // [S3CLIENT-14]
  serve(fine);
  options_.attempts = 2;
  auto keys = std::make_shared<FailingKeys>(Trouble::refused);
  parts_.credentials = keys;
  EXPECT_EQ(put().error().trouble, Trouble::refused);
  EXPECT_EQ(keys->asked, 1);
  EXPECT_TRUE(seen().empty());
}

}  // namespace
}  // namespace tus::s3::test
