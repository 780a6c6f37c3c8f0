#include "protocol/route.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tus::protocol {
namespace {

std::string where(std::string_view target, std::string_view base_path = "/files/") {
  const auto route = find_route(target, base_path);
  switch (route.resource) {
    case Resource::none:
      EXPECT_TRUE(route.id.empty());
      return "none";
    case Resource::collection:
      EXPECT_TRUE(route.id.empty());
      return "collection";
    case Resource::upload:
      return route.id.str();
  }
  return "?";
}

TEST(route, the_collection_with_and_without_its_last_slash) {
  EXPECT_EQ(where("/files/"), "collection");
  EXPECT_EQ(where("/files"), "collection");
  EXPECT_EQ(where("/files?a=b"), "collection");
  EXPECT_EQ(where("/files/?a=/b"), "collection");
  EXPECT_EQ(where("/", "/"), "collection");
  EXPECT_EQ(where("/a/b/", "/a/b/"), "collection");
}

// [HTTP-14]
TEST(route, uploads) {
  EXPECT_EQ(where("/files/abc"), "abc");
  EXPECT_EQ(where("/files/abc?x=/../y"), "abc");
  EXPECT_EQ(where("/files/a/b"), "a/b");
  EXPECT_EQ(where("/files/%61bc"), "abc");
  EXPECT_EQ(where("/files/a+b"), "a+b");
  EXPECT_EQ(where("/files/a%2Bb"), "a+b");
  EXPECT_EQ(where("/abc", "/"), "abc");
}

// [HTTP-14]
TEST(route, what_is_nowhere) {
  for (const char* target : {"",
                             "*",
                             "/",
                             "/other",
                             "/filesx",
                             "/FILES/abc",
                             "/files//",
                             "/files//a",
                             "/files/a/",
                             "/files/.",
                             "/files/..",
                             "/files/../etc/passwd",
                             "/files/a/../b",
                             "/files/%2e%2e",
                             "/files/%2e%2e/a",
                             "/files/a%2fb",
                             "/files/a%2Fb",
                             "/files/..%2f..%2fetc%2fpasswd",
                             "/files/a%5cb",
                             "/files/a%00",
                             "/files/a%",
                             "/files/a%zz",
                             "/files/a%252fb",
                             "/files/%252e%252e",
                             "/files/a.info",
                             "/files/a.lock",
                             "/files/.tusd",
                             "/files/a%0d%0ab",
                             "/files/a b",
                             "/files/a#b",
                             "/files/\xc3\xa4",
                             "/files/%c3%a4",
                             "/x/../files/abc",
                             "//files/abc",
                             "/./files/abc"}) {
    EXPECT_EQ(where(target), "none") << target;
  }
  EXPECT_EQ(where("/files/" + std::string(201, 'a')), "none");
}

}  // namespace
}  // namespace tus::protocol
