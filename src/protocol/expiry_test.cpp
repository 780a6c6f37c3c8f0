#include "protocol/expiry.h"

#include <gtest/gtest.h>

namespace tus::protocol {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr seconds day{86'400};
constexpr sys_seconds some_day{seconds(1'800'000'000)};

UploadInfo unfinished() {
  UploadInfo info;
  info.length = 10;
  info.offset = 3;
  info.last_activity = some_day;
  return info;
}

// [EXPIRE-49] [EXPIRE-53]
TEST(Expiry, IsAfterTheLastBytes) { EXPECT_EQ(expiry_of(unfinished(), day), some_day + day); }

TEST(Expiry, IsNeverWhenItIsOff) { EXPECT_FALSE(expiry_of(unfinished(), seconds(0))); }

TEST(Expiry, IsNeverOfAnUnknownAge) {
  auto info = unfinished();
  info.last_activity.reset();
  EXPECT_FALSE(expiry_of(info, day));
}

// [EXPIRE-53]
TEST(Expiry, IsNeverOfWhatIsComplete) {
  for (auto finish : {FinishState::derived, FinishState::pending, FinishState::finished,
                      FinishState::abandoned}) {
    auto info = unfinished();
    info.offset = 10;
    info.finish = finish;
    EXPECT_FALSE(expiry_of(info, day));
  }
}

TEST(Expiry, IsOfDeferredLengthsAndPendingJoinsToo) {
  auto deferred = unfinished();
  deferred.length.reset();
  EXPECT_TRUE(expiry_of(deferred, day));
  auto joining = unfinished();
  joining.length = 0;
  joining.offset = 0;
  joining.join_pending = true;
  EXPECT_TRUE(expiry_of(joining, day));
}

}  // namespace
}  // namespace tus::protocol
