#include "stores/file/timed_syscalls.h"

#include <tus/testing/counting_metrics.h>
#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace tus::file_store {
namespace {

// [METRIC-9]
TEST(TimedSyscalls, tell_what_was_synced_and_for_how_long) {
  const testing::TemporaryDirectory directory;
  auto metrics = std::make_shared<testing::CountingMetrics>();
  const auto calls = make_timed_syscalls(metrics);
  const int folder = ::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int file = ::openat(folder, "data", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0);
  EXPECT_EQ(calls->fdatasync(file), 0);
  EXPECT_EQ(calls->fsync(folder), 0);
  ::close(file);
  ::close(folder);
  errno = 0;
  EXPECT_EQ(calls->fdatasync(-1), -1);
  EXPECT_EQ(errno, EBADF);
  const auto syncs = metrics->numbers().syncs;
  ASSERT_EQ(syncs.size(), 3u);
  EXPECT_EQ(syncs[0].target, SyncTarget::data);
  EXPECT_EQ(syncs[0].outcome, SyncOutcome::safe);
  EXPECT_GT(syncs[0].duration.count(), 0);
  EXPECT_EQ(syncs[1].target, SyncTarget::directory);
  EXPECT_EQ(syncs[1].outcome, SyncOutcome::safe);
  EXPECT_EQ(syncs[2].target, SyncTarget::data);
  EXPECT_EQ(syncs[2].outcome, SyncOutcome::failed);
}

}  // namespace
}  // namespace tus::file_store
