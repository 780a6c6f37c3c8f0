// The sentences for operators.
#include "stores/s3/client/client_test_kit.h"
#include "stores/s3/client/find_credentials.h"

namespace tus::s3::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class S3StartCheckTest : public ClientTest {
 protected:
  S3StartCheckTest() { options_.attempts = 1; }

  std::string advice(Deadline deadline = in(60s)) {
    const auto checked = run(s3().check_start("buck", deadline));
    return checked ? "fine" : checked.error();
  }
  std::string advice_after(std::string reply) {
    serve(std::move(reply));
    auto text = advice();
    end_client();
    return text;
  }
};

TEST_F(S3StartCheckTest, ABucketThatIsThereIsFine) {  // [S3CLIENT-15]
  EXPECT_EQ(advice_after(reply(200,
                               "<ListBucketResult><IsTruncated>false</IsTruncated>"
                               "</ListBucketResult>")),
            "fine");
}

TEST_F(S3StartCheckTest, WhatS3RefusesIsExplained) {  // [S3CLIENT-15]
  EXPECT_THAT(advice_after(error(403, "SignatureDoesNotMatch")),
              HasSubstr("AWS_SECRET_ACCESS_KEY"));
  EXPECT_THAT(advice_after(error(403, "InvalidAccessKeyId")), HasSubstr("AWS_ACCESS_KEY_ID"));
  EXPECT_THAT(advice_after(error(403, "AccessDenied")), HasSubstr("rights"));
  EXPECT_THAT(advice_after(error(404, "NoSuchBucket")),
              HasSubstr("there is no bucket \"buck\" at http://127.0.0.1"));
  EXPECT_THAT(advice_after(error(400, "ExpiredToken")), HasSubstr("AWS_SESSION_TOKEN"));
  EXPECT_THAT(advice_after(error(403, "RequestTimeTooSkewed")), HasSubstr("clock"));
  EXPECT_THAT(advice_after(error(503, "SlowDown")), HasSubstr("try again later"));
}

TEST_F(S3StartCheckTest, AnotherRegionIsNamed) {  // [S3CLIENT-15]
  EXPECT_THAT(
      advice_after(error(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")),
      HasSubstr("set AWS_REGION=eu-west-1"));
  EXPECT_THAT(advice_after(reply(301, "<Error><Code>PermanentRedirect</Code></Error>",
                                 "x-amz-bucket-region: eu-north-1\r\n")),
              HasSubstr("set AWS_REGION=eu-north-1"));
  EXPECT_THAT(advice_after(reply(301, "")), HasSubstr("set AWS_REGION to its region"));
}

TEST_F(S3StartCheckTest, WhoIsNotS3IsSaidSo) {  // [S3CLIENT-15] [S3CLIENT-12]
  EXPECT_THAT(advice_after(html(200)), HasSubstr("is not S3"));
  EXPECT_THAT(advice_after(html(403)), HasSubstr("proxies"));
  EXPECT_THAT(advice_after(reply(200, "hello")), HasSubstr("is not S3"));
}

TEST_F(S3StartCheckTest, WhoDoesNotAnswerIsSaidSo) {  // [S3CLIENT-15]
  serve([](Peer& peer, const SeenRequest&, int) {
    peer.hold();
    return Then::close;
  });
  EXPECT_THAT(advice(in(200ms)), HasSubstr("does not answer"));
  end_client();
  serve("Hello, this is no HTTP\r\n\r\n");
  EXPECT_THAT(advice(), HasSubstr("does not speak HTTP"));
  end_client();
  const net::test::TestCertificate certificate;
  serve([](Peer&, const SeenRequest&, int) { return Then::close; }, &certificate);
  http_ = std::make_unique<net::HttpClient>(loops_.executors()[0], net::HttpClientOptions());
  EXPECT_THAT(advice(), HasSubstr("certificate"));
  end_client();
  const net::test::SilentPort port;
  options_.endpoint.url = "http://127.0.0.1:" + std::to_string(port.port());
  EXPECT_THAT(advice(), HasSubstr("nobody listens at " + options_.endpoint.url));
}

TEST_F(S3StartCheckTest, NoKeysAtAll) {  // [S3CLIENT-15] [S3CLIENT-13]
  const net::test::SilentPort port;
  const auto ec2 = "http://127.0.0.1:" + std::to_string(port.port());
  serve(error(403, "AccessDenied"));
  Surroundings around;
  around.get = [&ec2](const char* name) -> std::string {
    return std::string_view(name) == "AWS_EC2_METADATA_SERVICE_ENDPOINT" ? ec2 : "";
  };
  around.read = [](const std::string&) { return std::nullopt; };
  const auto found =
      find_credentials(around, {.http = http_.get(), .pool = nullptr, .clock = parts_.clock}, log_);
  ASSERT_TRUE(found) << found.error();
  parts_.credentials = found->provider;
  EXPECT_THAT(advice(), HasSubstr("there are no credentials: set AWS_ACCESS_KEY_ID"));
  EXPECT_TRUE(seen().empty());
}

}  // namespace
}  // namespace tus::s3::test
