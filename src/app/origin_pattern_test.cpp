#include "app/origin_pattern.h"

#include <gtest/gtest.h>

namespace tus::app {
namespace {

bool matches(const std::string& pattern, const std::string& origin) {
  const auto compiled = OriginPattern::compile(pattern);
  EXPECT_TRUE(compiled.has_value()) << pattern;
  return compiled && compiled->matches(origin);
}

// [CORS-2]
TEST(OriginPattern, MatchesAnywhere) {
  EXPECT_TRUE(matches(".*", "https://a.example"));
  EXPECT_TRUE(matches(".*", "null"));
  EXPECT_TRUE(matches("example", "https://a.example:8080"));
  EXPECT_TRUE(matches("^https://([a-z]+\\.)?example\\.org$", "https://www.example.org"));
  EXPECT_FALSE(matches("^https://([a-z]+\\.)?example\\.org$", "https://example.org.evil.test"));
  EXPECT_FALSE(matches("^https://([a-z]+\\.)?example\\.org$", "http://example.org"));
  EXPECT_FALSE(matches("example\\.org", "https://exampleXorg"));
  EXPECT_TRUE(matches("(?i)EXAMPLE", "https://example.org"));
}

// [CORS-2]
TEST(OriginPattern, WorkIsBounded) {
  EXPECT_FALSE(matches("^(a+)+$", std::string(500, 'a') + "b"));
  EXPECT_FALSE(matches(".*", std::string(30'000, 'a')));
}

// [CORS-6]
TEST(OriginPattern, WhatIsNoExpressionIsRefused) {
  EXPECT_FALSE(OriginPattern::compile("(").has_value());
  EXPECT_FALSE(OriginPattern::compile("[a").has_value());
}

}  // namespace
}  // namespace tus::app
