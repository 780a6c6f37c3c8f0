#include "net/pipe_pool.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace tus::net {
namespace {

TEST(PipePool, PipesAreKeptAndReused) {
  PipePool pool(1);
  Pipe first = pool.take();
  ASSERT_TRUE(first.valid());
  EXPECT_GE(first.capacity(), 4096u);
  int fd = first.read_end();
  pool.give_back(std::move(first));
  Pipe again = pool.take();
  EXPECT_EQ(again.read_end(), fd);
}

TEST(PipePool, NoMoreThanAskedForAreKept) {
  PipePool pool(1);
  Pipe a = pool.take();
  Pipe b = pool.take();
  int b_end = b.write_end();
  pool.give_back(std::move(a));
  pool.give_back(std::move(b));
  EXPECT_EQ(::write(b_end, "x", 1), -1);
}

TEST(PipePool, DroppedPipeIsClosed) {
  int fd = -1;
  {
    PipePool pool(1);
    Pipe pipe = pool.take();
    fd = pipe.write_end();
  }
  EXPECT_EQ(::write(fd, "x", 1), -1);
}

TEST(PipePool, BytesArriveAtTheOtherEnd) {
  PipePool pool(1);
  Pipe pipe = pool.take();
  char c = 0;
  ASSERT_EQ(::write(pipe.write_end(), "x", 1), 1);
  ASSERT_EQ(::read(pipe.read_end(), &c, 1), 1);
  EXPECT_EQ(c, 'x');
}

}  // namespace
}  // namespace tus::net
