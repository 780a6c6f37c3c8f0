#include "stores/s3/client/s3_errors.h"

#include <gtest/gtest.h>

namespace tus::s3 {
namespace {

TEST(S3ErrorsTest, SaysWhatToDoNext) {  // [S3CLIENT-3]
  struct Row {
    int status;
    std::string_view code;
    Verdict verdict;
  };
  const Row rows[] = {
      {404, "NoSuchKey", {Trouble::missing, Again::never}},
      {404, "NoSuchUpload", {Trouble::missing, Again::never}},
      {404, "", {Trouble::missing, Again::never}},  // HEAD has no body
      {404, "NoSuchBucket", {Trouble::refused, Again::never}},
      {404, "NobodyKnowsThis", {Trouble::refused, Again::never}},
      {412, "PreconditionFailed", {Trouble::changed, Again::never}},
      {304, "", {Trouble::changed, Again::never}},
      {416, "InvalidRange", {Trouble::changed, Again::never}},
      {400, "InvalidPart", {Trouble::bad_parts, Again::never}},
      {400, "InvalidPartOrder", {Trouble::bad_parts, Again::never}},
      {400, "EntityTooSmall", {Trouble::bad_parts, Again::never}},
      {403, "QuotaExceeded", {Trouble::full, Again::never}},
      {507, "XMinioStorageFull", {Trouble::full, Again::never}},
      {400, "XMinioAdminBucketQuotaExceeded", {Trouble::full, Again::never}},
      {507, "", {Trouble::full, Again::never}},
      {501, "NotImplemented", {Trouble::unsupported, Again::never}},
      {405, "MethodNotAllowed", {Trouble::unsupported, Again::never}},
      {403, "AccessDenied", {Trouble::refused, Again::never}},
      {403, "", {Trouble::refused, Again::never}},
      {403, "SignatureDoesNotMatch", {Trouble::refused, Again::never}},
      {301, "PermanentRedirect", {Trouble::refused, Again::never}},
      {400, "AuthorizationHeaderMalformed", {Trouble::refused, Again::never}},
      {400, "WhateverElse", {Trouble::refused, Again::never}},
      {403, "RequestTimeTooSkewed", {Trouble::refused, Again::with_its_clock}},
      {400, "ExpiredToken", {Trouble::refused, Again::with_other_keys}},
      {503, "SlowDown", {Trouble::unavailable, Again::later}},
      {200, "SlowDown", {Trouble::unavailable, Again::later}},  // in the body of a completion
      {200, "InternalError", {Trouble::unavailable, Again::later}},
      {400, "RequestTimeout", {Trouble::unavailable, Again::later}},
      {400, "BadDigest", {Trouble::unavailable, Again::later}},
      {400, "XAmzContentSHA256Mismatch", {Trouble::unavailable, Again::later}},
      {409, "OperationAborted", {Trouble::unavailable, Again::later}},
      {409, "ConditionalRequestConflict", {Trouble::unavailable, Again::later}},
      {429, "", {Trouble::unavailable, Again::later}},
      {500, "InternalError", {Trouble::unavailable, Again::later}},
      {500, "", {Trouble::unavailable, Again::later}},
      {502, "", {Trouble::unavailable, Again::later}},
      {503, "NobodyKnowsThis", {Trouble::unavailable, Again::later}},
      {504, "", {Trouble::unavailable, Again::later}},
  };
  for (const auto& row : rows)
    EXPECT_EQ(judge(row.status, row.code), row.verdict) << row.status << " " << row.code;
}

TEST(S3ErrorsTest, KnowsARefusalOfAChecksum) {  // [S3CLIENT-5]
  EXPECT_TRUE(is_about_checksum(501, "NotImplemented", ""));
  EXPECT_TRUE(is_about_checksum(400, "InvalidRequest",
                                "Checksum Type mismatch occurred, expected checksum Type: null"));
  EXPECT_TRUE(
      is_about_checksum(400, "InvalidArgument", "Unsupported header 'x-amz-checksum-crc32c'"));
  EXPECT_FALSE(is_about_checksum(400, "InvalidArgument", "Part number must be an integer"));
  EXPECT_FALSE(is_about_checksum(400, "BadDigest", "the CRC32C does not match"));
  EXPECT_FALSE(
      is_about_checksum(501, "NotImplemented", "Conditional object PUTs are not supported."));
  EXPECT_FALSE(is_about_checksum(403, "AccessDenied", "checksum"));
}

}  // namespace
}  // namespace tus::s3
