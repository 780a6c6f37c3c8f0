#include "stores/s3/client/text.h"

#include <gtest/gtest.h>

namespace tus::s3 {
namespace {

using namespace std::chrono;

TEST(S3TextTest, KeysAreEncodedAsTheyAreSigned) {  // [S3CLIENT-1]
  EXPECT_EQ(encode_path("a/b c+d%e/../~.-_\xc3\xa4"), "a/b%20c%2Bd%25e/../~.-_%C3%A4");
  EXPECT_EQ(encode("a/b"), "a%2Fb");
  EXPECT_EQ(encode_query({{"uploadId", "x/y"}, {"partNumber", "2"}, {"uploads", ""}}),
            "partNumber=2&uploadId=x%2Fy&uploads=");
}

TEST(S3TextTest, DecodesWhatS3HasEncoded) {  // [S3CLIENT-2]
  EXPECT_EQ(decode("a%2Fb+c%2b%C3%A4"), "a/b c+\xc3\xa4");
  for (const auto* bad : {"%", "%2", "%zz", "a%2"}) EXPECT_EQ(decode(bad), std::nullopt) << bad;
  for (int c = 0; c < 256; ++c) {
    const std::string text(3, static_cast<char>(c));
    EXPECT_EQ(decode(encode(text)), text);
  }
}

TEST(S3TextTest, ReadsTimesAndNumbers) {  // [S3CLIENT-2]
  const sys_seconds time = sys_days(2009y / 10 / 12) + 17h + 50min + 30s;
  EXPECT_EQ(parse_time("2009-10-12T17:50:30.000Z"), time);
  EXPECT_EQ(parse_time("2009-10-12T17:50:30Z"), time);
  for (const auto* bad :
       {"", "2009-10-12", "2009-02-30T17:50:30Z", "2009-10-12T24:50:30Z", "2009-10-12T17:50:30.Z",
        "2009-10-12T17:50:30.x0Z", "2009-10-12T17:50:30"})
    EXPECT_EQ(parse_time(bad), std::nullopt) << bad;
  EXPECT_EQ(parse_number("18446744073709551615"), 18446744073709551615u);
  for (const auto* bad : {"", "-1", "+1", " 1", "1 ", "1x", "18446744073709551616"})
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace tus::s3
