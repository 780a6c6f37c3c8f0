#include "metrics/process_figures.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <thread>
#include <unistd.h>
#include <vector>

namespace tus::metrics {
namespace {

TEST(ProcessFigures, AreThoseOfThisProcess) {  // [METRIC-10]
  const auto before = look_at_process();
  EXPECT_GT(before.cpu_seconds, 0);
  EXPECT_GT(before.resident_bytes, 1u << 20);
  EXPECT_GT(before.virtual_bytes, before.resident_bytes);
  EXPECT_GE(before.threads, 1u);
  EXPECT_GE(before.most_descriptors, before.open_descriptors);
  const auto now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_LE(before.start_time, now + 2);
  EXPECT_GT(before.start_time, now - 3600);

  std::vector<int> files;
  for (int i = 0; i < 10; ++i) files.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(look_at_process().open_descriptors, before.open_descriptors + files.size());
  for (const int fd : files) ::close(fd);
  EXPECT_EQ(look_at_process().open_descriptors, before.open_descriptors);
}

}  // namespace
}  // namespace tus::metrics
