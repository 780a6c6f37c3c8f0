#include "protocol/authority.h"

#include <gtest/gtest.h>

#include <string>

namespace tus::protocol {
namespace {

std::string parts(std::string_view text) {
  const auto authority = parse_authority(text);
  if (!authority) return "none";
  return std::string(authority->host) + " " + std::string(authority->port);
}

// [HTTP-33]
TEST(authority, host_and_port) {
  EXPECT_EQ(parts("a.example"), "a.example ");
  EXPECT_EQ(parts("a.example:8080"), "a.example 8080");
  EXPECT_EQ(parts("a:"), "a ");
  EXPECT_EQ(parts("192.0.2.1:65535"), "192.0.2.1 65535");
  EXPECT_EQ(parts("[2001:db8::1]:80"), "[2001:db8::1] 80");
  EXPECT_EQ(parts("[::1]"), "[::1] ");
  EXPECT_EQ(parts("xn--bcher-kva.example"), "xn--bcher-kva.example ");
  EXPECT_EQ(parts("a%41_b"), "a%41_b ");
}

// [HTTP-33]
TEST(authority, garbage) {
  for (std::string_view text : {"",        ":80",       "a b",         "a/b",
                                "me@a",    "a?b",       "a#b",         "a\\b",
                                "\"a\"",   "<a>",       "a\nb",        "a\tb",
                                "a%4",     "a%zz",      "a%",          "a:b",
                                "a:80:80", "a:-1",      "a:65536",     "a:000080",
                                "::1",     "[::1",      "[::1]x",      "[::1]80",
                                "[]",      "[v1.x]",    "[::1%lo]",    "[fe80::1%25lo]",
                                "[[::1]]", "[1.2.3.4]", "\xc3\xa4.de", "a.example\x7f"}) {
    EXPECT_EQ(parts(text), "none") << text;
  }
  EXPECT_EQ(parts(std::string(256, 'a')), "none");
  EXPECT_EQ(parts(std::string("a\0b", 3)), "none");
}

TEST(authority, ipv4) {
  for (std::string_view text : {"0.0.0.0", "192.0.2.60", "255.255.255.255"}) {
    EXPECT_TRUE(is_ipv4(text)) << text;
  }
  for (std::string_view text : {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3.4", "1..2.3",
                                "256.1.1.1", "01.2.3.4", "1.2.3.a", "1.2.3.1000", "-1.2.3.4"}) {
    EXPECT_FALSE(is_ipv4(text)) << text;
  }
}

TEST(authority, ipv6) {
  for (std::string_view text :
       {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "2001:DB8::a",
        "::ffff:192.0.2.1", "1:2:3:4:5:6:192.0.2.1", "64:ff9b::192.0.2.1"}) {
    EXPECT_TRUE(is_ipv6(text)) << text;
  }
  for (std::string_view text :
       {"", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4::5:6:7:8", "1::2::3",
        "::12345", "::g", "1:", ":1", "1:2:3:4:5:6:7:", "::192.0.2.1:1", "192.0.2.1::", "::192.0.2",
        "1:2:3:4:5:6:7:192.0.2.1", "::1 ", "::1%lo"}) {
    EXPECT_FALSE(is_ipv6(text)) << text;
  }
}

}  // namespace
}  // namespace tus::protocol
