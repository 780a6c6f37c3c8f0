#include <tus/version.h>

#include <gtest/gtest.h>

#include <algorithm>

namespace {

TEST(version, has_three_numbers) {
  const auto version = tus::version();
  EXPECT_EQ(std::ranges::count(version, '.'), 2);
  EXPECT_EQ(version.find_first_not_of("0123456789."), std::string_view::npos);
}

}  // namespace
