#include "stores/s3/client/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tus::s3 {
namespace {

using ::testing::HasSubstr;

std::string url_of(const EndpointOptions& options, std::string_view bucket, std::string_view key) {
  const auto endpoint = Endpoint::make(options);
  if (!endpoint) return endpoint.error();
  return endpoint->url(endpoint->target(bucket, key), "");
}

EndpointOptions aws(std::string region) {
  EndpointOptions options;
  options.region = std::move(region);
  return options;
}

EndpointOptions other(std::string url) {
  EndpointOptions options;
  options.url = std::move(url);
  return options;
}

TEST(S3EndpointTest, AwsIsAddressedByHostWhereTheNameAllowsIt) {  // [S3CLIENT-4]
  EXPECT_EQ(url_of(aws("eu-west-1"), "my-bucket", "a/b c"),
            "https://my-bucket.s3.eu-west-1.amazonaws.com/a/b%20c");
  EXPECT_EQ(url_of(aws("eu-west-1"), "my-bucket", ""),
            "https://my-bucket.s3.eu-west-1.amazonaws.com/");
  EXPECT_EQ(url_of(aws("eu-west-1"), "my.bucket", "k"),
            "https://s3.eu-west-1.amazonaws.com/my.bucket/k")
      << "the certificate does not hold for it";
  EXPECT_EQ(url_of(aws("eu-west-1"), "My_Bucket", "k"),
            "https://s3.eu-west-1.amazonaws.com/My_Bucket/k");
  EXPECT_EQ(url_of(aws("cn-north-1"), "bbb", "k"), "https://bbb.s3.cn-north-1.amazonaws.com.cn/k");
  auto options = aws("eu-west-1");
  options.transfer_acceleration = true;
  EXPECT_EQ(url_of(options, "bbb", "k"), "https://bbb.s3-accelerate.amazonaws.com/k");
  options = aws("eu-west-1");
  options.disable_ssl = true;
  EXPECT_EQ(url_of(options, "bbb", "k"), "http://bbb.s3.eu-west-1.amazonaws.com/k");
}

TEST(S3EndpointTest, OthersAreAddressedByPath) {  // [S3CLIENT-4]
  EXPECT_EQ(url_of(other("http://127.0.0.1:9000"), "b", "k"), "http://127.0.0.1:9000/b/k");
  EXPECT_EQ(url_of(other("https://h/a/b/"), "b", ""), "https://h/a/b/b");
  EXPECT_EQ(url_of(other("h:9000"), "b", "k"), "https://h:9000/b/k");
  EXPECT_EQ(url_of(other("HTTP://[::1]:9000"), "b", "k"), "http://[::1]:9000/b/k");
  // The port of the scheme is left out by curl, and what is signed has to be what is sent.
  EXPECT_EQ(url_of(other("https://h:443"), "b", "k"), "https://h/b/k");
  EXPECT_EQ(url_of(other("http://h:80/x"), "b", "k"), "http://h/x/b/k");
  auto options = other("h");
  options.disable_ssl = true;
  EXPECT_EQ(url_of(options, "b", "k"), "http://h/b/k");
  options.addressing = Addressing::by_host;
  EXPECT_EQ(url_of(options, "b", "k"), "http://b.h/k");
  EXPECT_EQ(url_of(other("http://h"), "b", "../x//y"), "http://h/b/../x//y");
}

TEST(S3EndpointTest, SaysWhatToSet) {  // [S3CLIENT-4] [S3CLIENT-15]
  EXPECT_THAT(url_of(aws(""), "b", "k"), HasSubstr("set AWS_REGION"));
  EXPECT_THAT(url_of(aws("a/b"), "b", "k"), HasSubstr("AWS_REGION"));
  for (const auto* bad : {"http://", "https://h?x", "http://h/a#b", "http://a@b", "http://a b"})
    EXPECT_THAT(url_of(other(bad), "b", "k"), HasSubstr("-s3-endpoint")) << bad;
  auto options = other("http://h");
  options.transfer_acceleration = true;
  EXPECT_THAT(url_of(options, "b", "k"), HasSubstr("-s3-transfer-acceleration"));
}

}  // namespace
}  // namespace tus::s3
