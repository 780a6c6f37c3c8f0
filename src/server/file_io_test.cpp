#include "server/file_io.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace tus::server {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { ::close(fd_); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string content(const Fd& file) {
  std::string out(100, '\0');
  auto n = ::pread(file.get(), out.data(), out.size(), 0);
  out.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return out;
}

// A pipe with "hello world" in it.
class FullPipe {
 public:
  FullPipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    read_end = ends[0];
    if (::write(ends[1], "hello world", 11) != 11) std::abort();
    ::close(ends[1]);
  }
  ~FullPipe() { ::close(read_end); }
  FullPipe(const FullPipe&) = delete;
  FullPipe& operator=(const FullPipe&) = delete;
  int read_end = -1;
};

TEST(FileIo, BytesGoToTheirPlace) {
  Fd file(::memfd_create("t", MFD_CLOEXEC));
  int error = 0;
  EXPECT_EQ(write_all(file.get(), 2, std::as_bytes(std::span(std::string_view("abc"))), error), 3u);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(content(file), std::string("\0\0abc", 5));
}

TEST(FileIo, PipesAreDrainedToTheirPlace) {
  Fd file(::memfd_create("t", MFD_CLOEXEC));
  FullPipe pipe;
  std::array<std::byte, 4> scratch;
  int error = 0;
  EXPECT_EQ(drain_pipe(pipe.read_end, 11, file.get(), 1, scratch, error), 11u);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(content(file), std::string("\0hello world", 12));
}

TEST(FileIo, WhereSpliceIsRefusedBytesAreCopied) {
  Fd file(::memfd_create("t", MFD_CLOEXEC));
  ASSERT_EQ(::fcntl(file.get(), F_SETFL, O_APPEND), 0);  // splice says EINVAL to that
  FullPipe pipe;
  std::array<std::byte, 4> scratch;
  int error = 0;
  EXPECT_EQ(drain_pipe(pipe.read_end, 11, file.get(), 0, scratch, error), 11u);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(content(file), "hello world");
}

TEST(FileIo, RefusalsAreReported) {
  Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  Fd read_only(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::array<std::byte, 4> scratch{};
  for (auto [fd, expected] : {std::pair{full.get(), ENOSPC}, {read_only.get(), EBADF}}) {
    int error = 0;
    EXPECT_EQ(write_all(fd, 0, scratch, error), 0u);
    EXPECT_EQ(error, expected);
    FullPipe pipe;
    error = 0;
    EXPECT_EQ(drain_pipe(pipe.read_end, 11, fd, 0, scratch, error), 0u);
    EXPECT_EQ(error, expected);
  }
}

TEST(FileIo, HowMuchWentInBeforeTheEndIsExact) {
  Fd file(::memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(file.get(), 5), 0);
  ASSERT_EQ(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW), 0);
  int error = 0;
  auto text = std::as_bytes(std::span(std::string_view("hello")));
  EXPECT_EQ(write_all(file.get(), 0, text, error), 5u);
  EXPECT_EQ(write_all(file.get(), 5, text, error), 0u);
  EXPECT_EQ(error, EPERM);
  EXPECT_EQ(content(file), "hello");
}

}  // namespace
}  // namespace tus::server
