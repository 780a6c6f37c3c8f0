#include "stores/file/file_test_kit.h"

#include <array>
#include <csignal>
#include <sys/socket.h>

namespace tus::file_store::test {
namespace {

// A pair of sockets that do not block.
class Sockets {
 public:
  Sockets() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds_), 0); }
  ~Sockets() {
    ::close(fds_[0]);
    close_reader();
  }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  int writer() const { return fds_[0]; }
  std::string take() const {
    std::string all;
    char piece[65536];
    for (ssize_t n = 0; (n = ::recv(fds_[1], piece, sizeof piece, 0)) > 0;)
      all.append(piece, static_cast<std::size_t>(n));
    return all;
  }
  void close_reader() {
    if (fds_[1] >= 0) ::close(std::exchange(fds_[1], -1));
  }

 private:
  int fds_[2] = {-1, -1};
};

class ReadStreams : public ::testing::Test {
 protected:
  std::unique_ptr<ReadStream> open_range(const std::string& id, ByteRange range) {
    auto stream = run(bench.store().read(*UploadId::parse(id), range, Deadline::never()));
    if (!stream) throw std::runtime_error(stream.error().detail());
    return *std::move(stream);
  }
  void store(const std::string& id, const std::string& bytes) {
    auto upload = create(bench.store(), draft_of(id, bytes.size()));
    EXPECT_EQ(bench.append_bytes(*upload, bytes).safe_offset, bytes.size());
  }
  Result<StreamSent> send(ReadStream& stream) {
    return run(stream.send_to(sockets.writer(), Deadline::never()));
  }

  FileBench bench;
  Sockets sockets;
};

TEST_F(ReadStreams, SendWhatWasAskedFor) {  // [DL-20]
  store("a", "hello world");
  auto stream = open_range("a", {6, 3});
  ASSERT_TRUE(stream->can_send());
  const auto sent = send(*stream);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->bytes, 3u);
  EXPECT_FALSE(sent->socket_is_full);
  EXPECT_EQ(sockets.take(), "wor");
  EXPECT_EQ(send(*stream)->bytes, 0u);
  EXPECT_EQ(sockets.take(), "");
}

TEST_F(ReadStreams, SayWhenTheSocketIsFullAndGoOn) {  // [DL-20]
  const auto bytes = pattern(3'000'000, 1);
  store("a", bytes);
  auto stream = open_range("a", {0, bytes.size()});
  std::string got;
  bool was_full = false;
  for (int i = 0; i < 10'000 && got.size() < bytes.size(); ++i) {
    const auto sent = send(*stream);
    ASSERT_TRUE(sent);
    was_full = was_full || sent->socket_is_full;
    got += sockets.take();
  }
  EXPECT_TRUE(was_full);
  EXPECT_TRUE(got == bytes);
}

TEST_F(ReadStreams, KeepTheirBytesWhenTheUploadIsDeleted) {  // [DL-21]
  store("a", "hello");
  auto stream = open_range("a", {0, 5});
  auto upload = open(bench.store(), "a");
  expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
  store("a", "other bytes");
  ASSERT_TRUE(send(*stream));
  EXPECT_EQ(sockets.take(), "hello");
}

TEST_F(ReadStreams, NeverSendLessThanTheyWereOpenedFor) {  // [DL-16] [DL-21]
  store("a", "hello world");
  auto stream = open_range("a", {0, 11});
  write_file(bench.path("a"), "hel");
  expect_error(send(*stream), ErrorCode::upload_damaged);
  EXPECT_EQ(sockets.take(), "hel") << "the rest is not made up";
  expect_error(run(bench.store().read(*UploadId::parse("a"), {0, 11}, Deadline::never())),
               ErrorCode::upload_damaged);
}

TEST_F(ReadStreams, ABrokenSocketIsNoErrorOfTheStoreAndNoSignal) {  // [DL-20]
  store("a", "hello");
  auto stream = open_range("a", {0, 5});
  sockets.close_reader();
  const auto before = std::signal(SIGPIPE, SIG_DFL);
  const auto sent = send(*stream);
  std::signal(SIGPIPE, before);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->socket_error, EPIPE);
}

TEST_F(ReadStreams, ErrorsOfTheDiskAreErrorsOfTheStore) {  // [DL-16]
  store("a", "hello");
  auto stream = open_range("a", {0, 5});
  bench.calls->fail_call(1, EIO);
  expect_error(send(*stream), ErrorCode::store_unavailable);
}

TEST_F(ReadStreams, WhatCannotBeSentIsRead) {  // [DL-20]
  store("a", "hello");
  auto stream = open_range("a", {0, 5});
  bench.calls->fail_call(1, EINVAL);
  const auto sent = send(*stream);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->bytes, 0u);
  EXPECT_FALSE(stream->can_send());
  std::array<std::byte, 10> into;
  EXPECT_EQ(run(stream->read(into, Deadline::never())), 5u);
}

TEST_F(ReadStreams, KnowWhenTheirBytesWereWritten) {  // [DL-6]
  store("a", "hello");
  const timespec times[2] = {{784111777, 5}, {784111777, 999'999'999}};
  ASSERT_EQ(::utimensat(AT_FDCWD, bench.path("a").c_str(), times, 0), 0);
  EXPECT_EQ(open_range("a", {0, 5})->last_modified(),
            std::chrono::sys_seconds(std::chrono::seconds(784111777)));
}

}  // namespace
}  // namespace tus::file_store::test
