#include "app/connection_limit.h"

#include <gtest/gtest.h>

namespace tus::app {
namespace {

TEST(ConnectionLimit, LeavesDescriptorsForFiles) {  // [ABUSE-3]
  EXPECT_EQ(connection_limit(0, 20'000), 18'976u);
  EXPECT_EQ(connection_limit(0, 65'536), 64'512u);
  EXPECT_EQ(connection_limit(0, 1'024), 768u);
  EXPECT_EQ(connection_limit(0, 64), 48u);
  EXPECT_EQ(connection_limit(100, 20'000), 100u);
  EXPECT_EQ(connection_limit(50'000, 20'000), 18'976u) << "more than fit";
}

TEST(ConnectionLimit, WithoutALimitOfDescriptors) {  // [ABUSE-3]
  EXPECT_EQ(connection_limit(0, 0), 0u);
  EXPECT_EQ(connection_limit(7, 0), 7u);
}

}  // namespace
}  // namespace tus::app
