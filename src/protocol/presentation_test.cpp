#include "protocol/presentation.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tus::protocol {
namespace {

std::string presented(const std::string& filetype) {
  const auto result = present({{"filetype", filetype}});
  return result.content_type + " " + result.disposition;
}

// [DL-8]
TEST(presentation, only_known_types_are_shown_inline) {
  for (const char* type :
       {"text/plain", "image/png", "image/jpeg", "image/gif", "image/bmp", "image/webp",
        "audio/wave", "audio/wav", "audio/x-wav", "audio/x-pn-wav", "audio/webm", "audio/ogg",
        "video/mp4", "video/webm", "video/ogg", "application/ogg"}) {
    EXPECT_EQ(presented(type), std::string(type) + " inline");
  }
  EXPECT_EQ(presented("TEXT/Plain; charset=utf-8"), "TEXT/Plain; charset=utf-8 inline");
  for (const char* type : {"text/html", "image/svg+xml", "application/pdf", "application/xhtml+xml",
                           "text/xml", "text/javascript", "text/plainx", "video/quicktime"}) {
    EXPECT_EQ(presented(type), std::string(type) + " attachment");
  }
}

// [DL-8]
TEST(presentation, what_is_no_media_type_is_bytes) {
  const std::string bytes = "application/octet-stream attachment";
  EXPECT_EQ(present({}).content_type + " " + present({}).disposition, bytes);
  for (const char* type :
       {"", "text", "text/", "/plain", "text plain", "text/pl ain", "text/plain;a",
        "text/plain;a=", "text/plain; a=\"b", "text/plain; charset=utf-8 x", "te\"xt/plain",
        "text/plain\r\nX: y", "text/plain;=b"}) {
    EXPECT_EQ(presented(type), bytes) << type;
  }
  EXPECT_EQ(presented("text/" + std::string(300, 'a')), bytes);
  EXPECT_EQ(presented("text/plain;"), "text/plain; inline") << "as Go";
  EXPECT_EQ(presented("text/plain ; a=\"b;\\\"c\" ; d=e"),
            "text/plain ; a=\"b;\\\"c\" ; d=e inline");
}

std::string named(const std::string& name) {
  auto text = present({{"filename", name}}).disposition;
  EXPECT_TRUE(text.starts_with("attachment")) << text;
  for (const char c : text) EXPECT_TRUE(c >= ' ' && c < 127) << name;
  return text.substr(std::string_view("attachment").size());
}

// [DL-9]
TEST(presentation, names) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"a.txt", "; filename=\"a.txt\""},
      {"a b;c=d.txt", "; filename=\"a b;c=d.txt\""},
      {"a\"b", "; filename=\"a_b\"; filename*=UTF-8''a%22b"},
      {"100%.txt", "; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"},
      {"\xc3\xa4\xe2\x82\xac.txt", "; filename=\"__.txt\"; filename*=UTF-8''%C3%A4%E2%82%AC.txt"},
      {"\xf0\x9f\x8e\x89", "; filename=\"_\"; filename*=UTF-8''%F0%9F%8E%89"},
      // Where the bytes are no text in UTF-8 nothing can be said about them.
      {"\xe4.txt", "; filename=\"_.txt\""},
      {"\xed\xa0\x80x", "; filename=\"_x\""},
      {"\xc0\xafx", "; filename=\"_x\""},
      {"a\r\nSet-Cookie: x", "; filename=\"a__Set-Cookie: x\""},
      {std::string("a\0b", 3), "; filename=\"a_b\""},
      {"dir/sub/a.txt", "; filename=\"a.txt\""},
      {"C:\\dir\\a.txt", "; filename=\"a.txt\""},
      {"../../etc/passwd", "; filename=\"passwd\""},
      {"dir/", ""},
      {"", ""},
      {std::string(1025, 'a'), ""},
  };
  for (const auto& [name, expected] : table) EXPECT_EQ(named(name), expected) << name;
  EXPECT_EQ(present({{"name", "n"}, {"filename", "f"}}).disposition, "attachment; filename=\"f\"");
  EXPECT_EQ(present({{"name", "n"}}).disposition, "attachment; filename=\"n\"");
  EXPECT_EQ(present({{"name", "n"}, {"filename", ""}}).disposition, "attachment; filename=\"n\"");
}

}  // namespace
}  // namespace tus::protocol
