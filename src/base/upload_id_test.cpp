#include <tus/upload_id.h>

#include <gtest/gtest.h>

#include <string>
#include <unordered_set>

namespace tus {
namespace {

bool accepts(std::string_view text) {
  const auto id = UploadId::parse(text);
  if (id) EXPECT_EQ(id->str(), text);
  return id.has_value();
}

// [HTTP-14]
TEST(upload_id, what_may_be_one) {
  EXPECT_TRUE(accepts("a"));
  EXPECT_TRUE(accepts("0123456789abcdef0123456789abcdef"));
  EXPECT_TRUE(accepts("ABC.xyz_~+=@,-9"));
  EXPECT_TRUE(accepts("a/b/c"));
  EXPECT_TRUE(accepts("object+multipart~id.x_y-z"));
  EXPECT_TRUE(accepts("a..b"));
  EXPECT_TRUE(accepts("a.info.x"));
  EXPECT_TRUE(accepts("info"));
  EXPECT_TRUE(accepts(std::string(200, 'a')));
}

// [HTTP-14]
TEST(upload_id, what_may_not) {
  EXPECT_FALSE(accepts(""));
  EXPECT_FALSE(accepts("/"));
  EXPECT_FALSE(accepts("/a"));
  EXPECT_FALSE(accepts("a/"));
  EXPECT_FALSE(accepts("a//b"));
  EXPECT_FALSE(accepts("."));
  EXPECT_FALSE(accepts(".."));
  EXPECT_FALSE(accepts("../a"));
  EXPECT_FALSE(accepts("a/../b"));
  EXPECT_FALSE(accepts("a/./b"));
  EXPECT_FALSE(accepts(".tusd"));
  EXPECT_FALSE(accepts("a/.hidden"));
  EXPECT_FALSE(accepts("a.info"));
  EXPECT_FALSE(accepts("a.lock"));
  EXPECT_FALSE(accepts("a.stop"));
  EXPECT_FALSE(accepts("a.part"));
  EXPECT_FALSE(accepts("a.info/b"));
  EXPECT_FALSE(accepts("a b"));
  EXPECT_FALSE(accepts("a\\b"));
  EXPECT_FALSE(accepts("a%2fb"));
  EXPECT_FALSE(accepts("a:b"));
  EXPECT_FALSE(accepts("a?b"));
  EXPECT_FALSE(accepts("a\nb"));
  EXPECT_FALSE(accepts("\xc3\xa4"));
  EXPECT_FALSE(accepts(std::string_view("a\0b", 3)));
}

TEST(upload_id, every_byte_outside_the_alphabet_is_refused) {
  const std::string allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+=@,-/";
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text{'x', static_cast<char>(byte), 'x'};
    EXPECT_EQ(accepts(text), allowed.find(static_cast<char>(byte)) != std::string::npos) << byte;
  }
}

TEST(upload_id, lengths) {
  EXPECT_FALSE(accepts(std::string(201, 'a')));
  std::string longest;
  for (int i = 0; i < 5; ++i) longest += std::string(200, 'a') + "/";
  longest += std::string(1024 - longest.size(), 'b');
  EXPECT_TRUE(accepts(longest));
  EXPECT_FALSE(accepts(longest + "b"));
}

TEST(upload_id, compares_and_hashes) {
  const auto a = *UploadId::parse("a");
  const auto b = *UploadId::parse("b");
  EXPECT_LT(a, b);
  EXPECT_EQ(a, *UploadId::parse("a"));
  EXPECT_TRUE(UploadId().empty());
  const std::unordered_set<UploadId> ids{a, b, a};
  EXPECT_EQ(ids.size(), 2u);
}

}  // namespace
}  // namespace tus
