#include "protocol/header_values.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace tus::protocol {
namespace {

// [GRAM-1] [CORE-26]
TEST(header_values, counts_are_digits_up_to_the_largest_offset) {
  EXPECT_EQ(parse_count("0"), 0u);
  EXPECT_EQ(parse_count("5"), 5u);
  EXPECT_EQ(parse_count("007"), 7u);
  EXPECT_EQ(parse_count("9223372036854775807"), 9223372036854775807u);
  for (const char* text :
       {"", "+5", "-5", "-0", " 5", "5 ", "5,5", "5, 5", "0x5", "5.0", "1e3", "five", "\xd9\xa5",
        "9223372036854775808", "18446744073709551616", "99999999999999999999999999"}) {
    EXPECT_EQ(parse_count(text), std::nullopt) << text;
  }
}

TEST(header_values, media_types) {
  const auto type = "application/offset+octet-stream";
  EXPECT_TRUE(is_media_type("application/offset+octet-stream", type));
  EXPECT_TRUE(is_media_type("Application/Offset+Octet-Stream", type));
  EXPECT_TRUE(is_media_type("application/offset+octet-stream; charset=utf-8", type));
  EXPECT_TRUE(is_media_type("application/offset+octet-stream ;x=y", type));
  EXPECT_FALSE(is_media_type("", type));
  EXPECT_FALSE(is_media_type("application/octet-stream", type));
  EXPECT_FALSE(is_media_type("application/offset+octet-streams", type));
  EXPECT_FALSE(is_media_type("text/plain; a=application/offset+octet-stream", type));
}

TEST(header_values, what_may_be_sent_in_a_field) {
  EXPECT_TRUE(is_field_name("X-Thing_1"));
  EXPECT_FALSE(is_field_name(""));
  EXPECT_FALSE(is_field_name("X Thing"));
  EXPECT_FALSE(is_field_name("X:"));
  EXPECT_FALSE(is_field_name("X\r\nY"));
  EXPECT_TRUE(is_field_value(""));
  EXPECT_TRUE(is_field_value("a b\tc \xc3\xa4"));
  EXPECT_FALSE(is_field_value("a\r\nSet-Cookie: x"));
  EXPECT_FALSE(is_field_value(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_field_value("a\x7f"));
}

// [GRAM-2] Vectors of RFC 4648 section 10.
TEST(base64, published_vectors) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [bytes, text] : table) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), bytes);
  }
}

TEST(base64, every_byte_survives) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const auto part = bytes.substr(bytes.size() - length);
    EXPECT_EQ(decode_base64(encode_base64(part)), part);
  }
}

// [GRAM-2]
TEST(base64, what_is_not) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "=", "==", "====", "Z===", "Zm9", "Zm=v",
                           "Zm 9", "Zm9v\n", " Zm9v", "Zm-_", "Zg==Zg==", "Zm9v="}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
  EXPECT_EQ(decode_base64("Zh=="), "f") << "hidden bits are not looked at, as in Go";
}

// [HTTP-14]
TEST(percent, is_decoded_once) {
  EXPECT_EQ(decode_percent("abc"), "abc");
  EXPECT_EQ(decode_percent("%61%62c"), "abc");
  EXPECT_EQ(decode_percent("%2B+"), "++");
  EXPECT_EQ(decode_percent("%252e"), "%2e");
  EXPECT_EQ(decode_percent("%00"), std::string(1, '\0'));
  for (const char* text : {"%", "%2", "%zz", "a%", "%2g", "%+1", "%-1", "% 1", "%%41"}) {
    EXPECT_EQ(decode_percent(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tus::protocol
