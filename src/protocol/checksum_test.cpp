#include "protocol/checksum.h"

#include "protocol/header_values.h"

#include <tus/testing/request_text.h>

#include <gtest/gtest.h>

#include <string>

namespace tus::protocol {
namespace {

const std::string sha1 = "Kq5sNclPz7QV2+lfQIuc6R7oRu0=";

std::string code(ErrorCode error) { return std::string(describe(error).code); }

std::string parsed(std::string_view value) {
  const auto checksum = parse_checksum(value);
  if (!checksum) return code(checksum.error());
  return std::to_string(static_cast<int>(checksum->algorithm)) + " " +
         encode_base64(checksum->digest);
}

// [CHECK-56] [CHECK-59]
TEST(checksum, grammar) {
  EXPECT_EQ(parsed("sha1 " + sha1), "0 " + sha1);
  EXPECT_EQ(parsed("md5 XUFAKrxLKna5cZ2REBfFkg=="), "1 XUFAKrxLKna5cZ2REBfFkg==");
  EXPECT_EQ(parsed("crc32 y/Q5Jg=="), "4 y/Q5Jg==");
  EXPECT_EQ(parsed("crc32c 4waSgw=="), "5 4waSgw==");
  for (std::string_view algorithm : {"sha256", "sha512"}) {
    const std::string digest(algorithm == "sha256" ? 32 : 64, 'd');
    const auto text = std::string(algorithm) + " " + encode_base64(digest);
    EXPECT_EQ(parse_checksum(text).value_or(Checksum()).digest, digest);
  }
}

// [CHECK-59] Malformed, or of another length than the algorithm makes.
TEST(checksum, values_that_are_none) {
  for (const std::string& value :
       {std::string(), std::string("sha1"), std::string("sha1 "), " " + sha1, "sha1  " + sha1,
        "sha1 " + sha1 + " ", "sha1\t" + sha1, std::string("sha1 x"), std::string("sha1 ===="),
        std::string("md5 ") + sha1, std::string("sha1 XUFAKrxLKna5cZ2REBfFkg=="),
        std::string("crc32 y/Q5Jh=="), std::string("crc32 y/Q5Jg"), std::string("crc32 y_Q5Jg=="),
        std::string("crc32 y/Q5Jg==,crc32c 4waSgw==")}) {
    EXPECT_EQ(parsed(value), "ERR_INVALID_CHECKSUM") << value;
  }
}

// [CHECK-58] Names are lower case.
TEST(checksum, algorithms_that_are_unknown) {
  for (const char* name : {"SHA1", "Sha1", "sha-1", "sha384", "crc32C", "adler32", "sha1,"}) {
    EXPECT_EQ(parsed(std::string(name) + " " + sha1), "ERR_CHECKSUM_ALGORITHM_UNSUPPORTED") << name;
  }
}

// [CHECK-55]
TEST(checksum, every_listed_algorithm_is_known) {
  std::string_view list = checksum_algorithms();
  int count = 0;
  while (!list.empty()) {
    const auto name = std::string(list.substr(0, list.find(',')));
    const auto checksum = parse_checksum(name + " AAAA");
    ASSERT_FALSE(checksum);
    EXPECT_EQ(checksum.error(), ErrorCode::invalid_checksum) << name;
    list.remove_prefix(std::min(name.size() + 1, list.size()));
    ++count;
  }
  EXPECT_EQ(count, 6);
}

std::string demand(const std::string& fields) {
  const auto found = checksum_of(testing::request_from_text("PATCH /files/a\n" + fields));
  if (!found) return code(found.error());
  if (!*found) return "none";
  return (*found)->known ? "header" : "trailer";
}

// [CHECK-61]
TEST(checksum, where_it_comes) {
  EXPECT_EQ(demand("Upload-Offset: 0"), "none");
  EXPECT_EQ(demand("Trailer: X-Other"), "none");
  EXPECT_EQ(demand("Trailer: "), "none");
  EXPECT_EQ(demand("Upload-Checksum: sha1 " + sha1), "header");
  EXPECT_EQ(demand("Trailer: Upload-Checksum"), "trailer");
  EXPECT_EQ(demand("Trailer: X-Other,  upload-checksum ,"), "trailer");
  EXPECT_EQ(demand("Trailer: X-Other\nTrailer: UPLOAD-CHECKSUM"), "trailer");
  EXPECT_EQ(demand("Upload-Checksum: sha1 " + sha1 + "\nTrailer: Upload-Checksum"),
            "ERR_INVALID_CHECKSUM");
  EXPECT_EQ(demand("Upload-Checksum: sha1"), "ERR_INVALID_CHECKSUM");
  EXPECT_EQ(demand("Upload-Checksum: md2 AAAA"), "ERR_CHECKSUM_ALGORITHM_UNSUPPORTED");
}

// [CHECK-61]
TEST(checksum, what_came_behind_the_body) {
  const auto settled = [](const ChecksumDemand& demand, int times, const std::string& value) {
    Fields trailers;
    for (int i = 0; i < times; ++i) trailers.add("upload-checksum", value);
    const auto checksum = settle_checksum(demand, trailers);
    return checksum ? encode_base64(checksum->digest) : code(checksum.error());
  };
  const ChecksumDemand known(*parse_checksum("sha1 " + sha1));
  EXPECT_EQ(settled(known, 0, ""), sha1);
  EXPECT_EQ(settled(known, 1, "sha1 " + sha1), "ERR_INVALID_CHECKSUM");
  EXPECT_EQ(settled({}, 1, "crc32 y/Q5Jg=="), "y/Q5Jg==");
  EXPECT_EQ(settled({}, 0, ""), "ERR_INVALID_CHECKSUM");
  EXPECT_EQ(settled({}, 2, "crc32 y/Q5Jg=="), "ERR_INVALID_CHECKSUM");
  EXPECT_EQ(settled({}, 1, "crc32 y/Q5J==="), "ERR_INVALID_CHECKSUM");
  EXPECT_EQ(settled({}, 1, "md2 AAAA"), "ERR_CHECKSUM_ALGORITHM_UNSUPPORTED");
}

}  // namespace
}  // namespace tus::protocol
