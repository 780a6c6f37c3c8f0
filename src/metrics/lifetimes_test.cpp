#include "metrics/lifetimes.h"

#include <gtest/gtest.h>

#include <string>

namespace tus::metrics {
namespace {

using namespace std::chrono_literals;

const Lifetimes::Point start{1000s};

TEST(Lifetimes, TellHowLongAnUploadWasThereOnce) {  // [METRIC-5]
  Lifetimes lifetimes(start);
  lifetimes.begin("a", start + 1s);
  lifetimes.begin("b", start + 2s);
  EXPECT_EQ(lifetimes.end("a", start + 5s), 4s);
  EXPECT_EQ(lifetimes.end("a", start + 6s), std::nullopt);
  EXPECT_EQ(lifetimes.end("b", start + 2s + 250us), 250us);
  EXPECT_EQ(lifetimes.end("c", start + 7s), std::nullopt);
}

TEST(Lifetimes, MayTakeMonths) {  // [METRIC-5]
  Lifetimes lifetimes(start);
  lifetimes.begin("a", start + 24h * 100);
  EXPECT_EQ(lifetimes.end("a", start + 24h * 220), 24h * 120);
}

TEST(Lifetimes, ForgetTheOldestWhenThereIsNoRoom) {  // [METRIC-5]
  constexpr std::size_t many = 4 * Lifetimes::rows * Lifetimes::in_a_row;
  Lifetimes lifetimes(start);
  for (std::size_t i = 0; i < many; ++i)
    lifetimes.begin("upload-" + std::to_string(i), start + 1ms * i);
  std::size_t known_of_the_first = 0;
  std::size_t known_of_the_last = 0;
  constexpr std::size_t some = 1000;
  for (std::size_t i = 0; i < some; ++i) {
    if (lifetimes.end("upload-" + std::to_string(i), start + 1ms * many)) ++known_of_the_first;
    if (lifetimes.end("upload-" + std::to_string(many - 1 - i), start + 1ms * many))
      ++known_of_the_last;
  }
  EXPECT_LE(known_of_the_first, some / 100);
  EXPECT_GE(known_of_the_last, some - some / 100);
}

}  // namespace
}  // namespace tus::metrics
