#include "net/lag_probe.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace tus::net {
namespace {

using namespace std::chrono_literals;

TEST(LagProbe, TellsHowLateALoopIs) {  // [METRIC-8]
  asio::io_context loop(1);
  std::vector<std::chrono::nanoseconds> lags;
  std::shared_ptr<LagProbe> probe;
  probe = LagProbe::start(
      loop.get_executor(),
      [&](std::chrono::nanoseconds lag) {
        lags.push_back(lag);
        if (lags.size() == 3) probe->stop();
      },
      1ms);
  // A handler that does not return in time; what comes behind it is late by what is left of it.
  asio::post(loop, [] {
    const auto begun = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begun < 50ms) std::this_thread::yield();
  });
  loop.run();
  ASSERT_EQ(lags.size(), 3u) << "and then the loop has nothing left to do";
  EXPECT_GE(lags[0], 45ms);
  for (const auto lag : lags) EXPECT_GE(lag, 0ns);
}

TEST(LagProbe, EndsBeforeItsFirstLook) {  // [METRIC-8]
  asio::io_context loop(1);
  int looks = 0;
  const auto probe =
      LagProbe::start(loop.get_executor(), [&](std::chrono::nanoseconds) { ++looks; }, 1h);
  probe->stop();
  loop.run();
  EXPECT_EQ(looks, 0);
}

}  // namespace
}  // namespace tus::net
