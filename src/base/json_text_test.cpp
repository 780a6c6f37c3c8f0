#include "base/json_text.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace tus::base {
namespace {

TEST(json_text, encodes_base64) {
  // RFC 4648 section 10
  for (auto [plain, encoded] : {std::pair{"", ""},
                                {"f", "Zg=="},
                                {"fo", "Zm8="},
                                {"foo", "Zm9v"},
                                {"foob", "Zm9vYg=="},
                                {"fooba", "Zm9vYmE="},
                                {"foobar", "Zm9vYmFy"}}) {
    std::string out;
    append_base64(out, plain);
    EXPECT_EQ(out, encoded);
  }
}

TEST(json_text, knows_utf8) {
  for (std::string_view good : {"", "a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                                "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (std::string_view bad :
       {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

}  // namespace
}  // namespace tus::base
