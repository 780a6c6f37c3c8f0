#include "stores/s3/client/xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tus::s3 {
namespace {

using namespace std::chrono;
using ::testing::HasSubstr;

const std::string time_text = "2009-10-12T17:50:30.000Z";
const sys_seconds time_value = sys_days(2009y / 10 / 12) + 17h + 50min + 30s;

std::string part(std::string_view number, std::string_view size = "5",
                 std::string_view etag = "\"a&quot;\"") {
  return "<Part><PartNumber>" + std::string(number) + "</PartNumber><LastModified>" + time_text +
         "</LastModified><ETag>" + std::string(etag) + "</ETag><Size>" + std::string(size) +
         "</Size></Part>";
}

std::string parts(std::string_view truncated, std::string_view all) {
  return R"(<?xml version="1.0" encoding="UTF-8"?>
<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>)" +
         std::string(truncated) + "</IsTruncated>" + std::string(all) + "</ListPartsResult>";
}

TEST(S3XmlTest, ReadsParts) {  // [S3CLIENT-2]
  const auto page = parse_parts(parts("true", part("3", "18446744073709551615") + part("1")));
  ASSERT_TRUE(page) << page.error();
  ASSERT_EQ(page->parts.size(), 2u);
  EXPECT_FALSE(page->at_end);
  EXPECT_EQ(page->parts[0].number, 1u);
  EXPECT_EQ(page->parts[0].size, 5u);
  EXPECT_EQ(page->parts[0].etag, "\"a\"\"");
  EXPECT_EQ(page->parts[0].last_modified, time_value);
  EXPECT_EQ(page->parts[1].number, 3u);
  EXPECT_EQ(page->parts[1].size, 18446744073709551615u);
  EXPECT_TRUE(parse_parts(parts("false", ""))->at_end);
}

TEST(S3XmlTest, TakesNoPartsThatMakeNoSense) {  // [S3CLIENT-2]
  EXPECT_THAT(parse_parts(parts("true", "")).error(), HasSubstr("behind nothing"));
  EXPECT_THAT(parse_parts(parts("yes", "")).error(), HasSubstr("IsTruncated"));
  EXPECT_THAT(parse_parts(parts("false", part("0"))).error(), HasSubstr("PartNumber"));
  EXPECT_THAT(parse_parts(parts("false", part("10001"))).error(), HasSubstr("PartNumber"));
  EXPECT_THAT(parse_parts(parts("false", part("-1"))).error(), HasSubstr("PartNumber"));
  EXPECT_THAT(parse_parts(parts("false", part("1", ""))).error(), HasSubstr("Size"));
  EXPECT_THAT(parse_parts(parts("false", part("1", "18446744073709551616"))).error(),
              HasSubstr("Size"));
  EXPECT_THAT(parse_parts(parts("false", part("1", "5", ""))).error(), HasSubstr("ETag"));
  EXPECT_THAT(parse_parts(parts("false", part("1") + part("1"))).error(), HasSubstr("twice"));
  EXPECT_THAT(parse_parts(parts("false", "<Part/>")).error(), HasSubstr("PartNumber"));
}

TEST(S3XmlTest, SaysWhatItGotInstead) {  // [S3CLIENT-2] [S3CLIENT-12]
  EXPECT_THAT(parse_parts("").error(), HasSubstr("no XML"));
  EXPECT_THAT(parse_parts("{}").error(), HasSubstr("no XML"));
  EXPECT_THAT(parse_parts("<ListPartsResult>").error(), HasSubstr("no XML"));
  EXPECT_THAT(parse_parts("\n <!DOCTYPE HTML><html></html>").error(), HasSubstr("HTML"));
  EXPECT_THAT(parse_parts("<HTML><body/></HTML>").error(), HasSubstr("HTML"));
  EXPECT_THAT(parse_parts("<ListBucketResult/>").error(), HasSubstr("<ListBucketResult>"));
}

TEST(S3XmlTest, ReadsObjectsAndDecodesTheirKeysWhenTheyAreEncoded) {  // [S3CLIENT-2]
  const auto list = [](std::string_view encoding, std::string_view key) {
    return "<ListBucketResult><IsTruncated>false</IsTruncated>" + std::string(encoding) +
           "<Contents><Key>" + std::string(key) + "</Key><LastModified>" + time_text +
           "</LastModified><ETag>\"e\"</ETag><Size>7</Size></Contents></ListBucketResult>";
  };
  const std::string url = "<EncodingType>url</EncodingType>";
  const auto page = parse_objects(list(url, "a%2Fb+c%2B"));
  ASSERT_TRUE(page) << page.error();
  EXPECT_EQ(page->objects.at(0).key, "a/b c+");
  EXPECT_EQ(page->objects.at(0).size, 7u);
  EXPECT_EQ(page->objects.at(0).last_modified, time_value);
  EXPECT_EQ(parse_objects(list("", "a%2Fb+c&amp;"))->objects.at(0).key, "a%2Fb+c&");
  EXPECT_THAT(parse_objects(list(url, "a%2")).error(), HasSubstr("not encoded"));
}

TEST(S3XmlTest, ReadsMultipartUploads) {  // [S3CLIENT-2]
  const auto list = [](std::string_view more) {
    return "<ListMultipartUploadsResult>" + std::string(more) +
           "<Upload><Key>k</Key><UploadId>u</UploadId><Initiated>" + time_text +
           "</Initiated></Upload></ListMultipartUploadsResult>";
  };
  const auto page =
      parse_multiparts(list("<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
                            "<NextUploadIdMarker>u</NextUploadIdMarker>"));
  ASSERT_TRUE(page) << page.error();
  EXPECT_FALSE(page->at_end);
  EXPECT_EQ(page->key_marker, "k");
  EXPECT_EQ(page->upload_marker, "u");
  EXPECT_EQ(page->uploads.at(0).upload, "u");
  EXPECT_EQ(page->uploads.at(0).initiated, time_value);
  EXPECT_THAT(parse_multiparts(list("<IsTruncated>true</IsTruncated>")).error(),
              HasSubstr("NextKeyMarker"));
}

TEST(S3XmlTest, ReadsTheRest) {  // [S3CLIENT-2]
  EXPECT_EQ(parse_initiated("<InitiateMultipartUploadResult><UploadId>2~x</UploadId>"
                            "</InitiateMultipartUploadResult>"),
            "2~x");
  EXPECT_THAT(parse_initiated("<InitiateMultipartUploadResult><UploadId></UploadId>"
                              "</InitiateMultipartUploadResult>")
                  .error(),
              HasSubstr("empty"));
  EXPECT_EQ(parse_copied_part("<CopyPartResult><ETag>&quot;x&quot;</ETag></CopyPartResult>"),
            "\"x\"");
  // Ceph's first answer has an empty ETag.
  EXPECT_TRUE(parse_completed(
      "<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>"));
  EXPECT_FALSE(parse_completed("<Error><Code>InternalError</Code></Error>"));
  EXPECT_FALSE(parse_completed(""));
}

TEST(S3XmlTest, ReadsErrors) {  // [S3CLIENT-2]
  const auto error = parse_error(
      "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message>"
      "<Region>eu-west-1</Region><RequestId>r</RequestId></Error>");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "AuthorizationHeaderMalformed");
  EXPECT_EQ(error->message, "m");
  EXPECT_EQ(error->region, "eu-west-1");
  EXPECT_EQ(error->request_id, "r");
  EXPECT_FALSE(parse_error("<Error/>"));
  EXPECT_EQ(error_within("<Error><Code>X</Code></Error>")->code, "X");
  EXPECT_FALSE(error_within("<CompleteMultipartUploadResult/>"));
}

TEST(S3XmlTest, WritesWhatItReads) {  // [S3CLIENT-2]
  const std::vector<PartTag> tags{{1, "\"a\""}, {10'000, "<&>"}};
  EXPECT_EQ(complete_request(tags),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part>"
            "<Part><PartNumber>10000</PartNumber><ETag>&lt;&amp;&gt;</ETag></Part>"
            "</CompleteMultipartUpload>");
}

TEST(S3XmlTest, NestingHasNoEffectOnTheStack) {  // [S3CLIENT-2]
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<a>";
  EXPECT_FALSE(parse_parts(deep));
  for (int i = 0; i < 200'000; ++i) deep += "</a>";
  EXPECT_THAT(parse_parts(deep).error(), HasSubstr("<a>"));
}

TEST(S3XmlTest, ReadsARoleOfSts) {  // [S3CLIENT-13]
  const auto role = parse_assumed_role(
      "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
      "<AccessKeyId>id</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
      "<SessionToken>t</SessionToken><Expiration>" +
      time_text +
      "</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
      "</AssumeRoleWithWebIdentityResponse>");
  ASSERT_TRUE(role);
  EXPECT_EQ(role->key_id, "id");
  EXPECT_EQ(role->secret, "s");
  EXPECT_EQ(role->token, "t");
  EXPECT_EQ(role->expires, time_value);
  EXPECT_FALSE(parse_assumed_role("<AssumeRoleWithWebIdentityResponse/>"));
}

}  // namespace
}  // namespace tus::s3
