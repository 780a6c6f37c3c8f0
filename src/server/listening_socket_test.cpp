#include "server/listening_socket.h"

#include "server/socket_address.h"

#include <tus/testing/raw_client.h>
#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tus::server {
namespace {

using testing::RawClient;
using testing::RawClientError;

mode_t mode_of(const std::string& path) {
  struct stat found{};
  return ::lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

bool exists(const std::string& path) {
  return std::filesystem::symlink_status(path).type() != std::filesystem::file_type::not_found;
}

class ListeningSockets : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return (directory_.path() / name).string(); }

 private:
  testing::TemporaryDirectory directory_;
};

TEST_F(ListeningSockets, TcpSaysWhatIsWrong) {  // [SOCK-8]
  const auto taken = listen_on_tcp("127.0.0.1", 0);
  ASSERT_TRUE(taken) << taken.error().detail();
  const auto port = port_of(taken->fd());
  EXPECT_EQ(address_of(taken->fd()), "127.0.0.1:" + std::to_string(port));
  const auto again = listen_on_tcp("127.0.0.1", port);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().detail(), "cannot listen on 127.0.0.1:" + std::to_string(port) +
                                        ": another program uses this port: stop it, or choose "
                                        "another one with -port");
  const auto elsewhere = listen_on_tcp("192.0.2.1", 0);
  ASSERT_FALSE(elsewhere);
  EXPECT_TRUE(elsewhere.error().detail().contains("this machine does not have that address"));
  const auto nowhere = listen_on_tcp("256.0.0.1", 0);
  ASSERT_FALSE(nowhere);
  EXPECT_TRUE(nowhere.error().detail().contains("not known"));
}

TEST_F(ListeningSockets, TcpOnAllAddresses) {  // [SOCK-1]
  for (const char* host : {"", "0.0.0.0"}) {
    const auto socket = listen_on_tcp(host, 0);
    ASSERT_TRUE(socket) << socket.error().detail();
    EXPECT_EQ(address_of(socket->fd()), "0.0.0.0:" + std::to_string(port_of(socket->fd())));
    RawClient client(port_of(socket->fd()));
  }
}

TEST_F(ListeningSockets, UnixHasTheModeThatWasAskedFor) {  // [SOCK-4]
  const auto path = at("s");
  const auto old = ::umask(027);
  {
    const auto socket = listen_on_unix(path, std::nullopt);
    ASSERT_TRUE(socket) << socket.error().detail();
    EXPECT_EQ(mode_of(path), 0750u);
    EXPECT_TRUE(is_unix_socket(socket->fd()));
    EXPECT_EQ(address_of(socket->fd()), path);
  }
  const auto socket = listen_on_unix(path, 0666);
  ::umask(old);
  ASSERT_TRUE(socket) << socket.error().detail();
  EXPECT_EQ(mode_of(path), 0666u);
  EXPECT_EQ(::fcntl(socket->fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_F(ListeningSockets, UnixReplacesAStaleSocketOnly) {  // [SOCK-3]
  const auto path = at("s");
  {
    ASSERT_TRUE(listen_on_unix(path, std::nullopt));
  }
  ASSERT_TRUE(exists(path)) << "closed, and its file is still there";
  const auto living = listen_on_unix(path, std::nullopt);
  ASSERT_TRUE(living) << living.error().detail();
  const auto second = listen_on_unix(path, std::nullopt);
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().detail().contains("another server listens on it"));
  RawClient still_reachable(path);

  const auto file = at("file");
  std::ofstream(file) << "precious";
  const auto other = listen_on_unix(file, std::nullopt);
  ASSERT_FALSE(other);
  EXPECT_TRUE(other.error().detail().contains("a file of another kind"));
  EXPECT_EQ(std::filesystem::file_size(file), 8u);
}

TEST_F(ListeningSockets, UnixSaysWhatIsWrong) {  // [SOCK-8]
  const auto no_directory = listen_on_unix(at("no/such/s"), std::nullopt);
  ASSERT_FALSE(no_directory);
  EXPECT_TRUE(no_directory.error().detail().contains("its directory does not exist"));
  const auto long_path = listen_on_unix(at(std::string(120, 'x')), std::nullopt);
  ASSERT_FALSE(long_path);
  EXPECT_TRUE(long_path.error().detail().contains("at most 107 bytes"));
}

TEST_F(ListeningSockets, AFullSocketIsALivingOne) {  // [SOCK-3]
  const auto path = at("s");
  ListeningSocket full(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  {
    auto made = listen_on_unix(path, std::nullopt);
    ASSERT_TRUE(made);
    full = *std::move(made);
  }
  ASSERT_EQ(::listen(full.fd(), 0), 0);
  RawClient waiting(path);  // takes the only place
  EXPECT_FALSE(listen_on_unix(path, std::nullopt));
  EXPECT_TRUE(exists(path));
}

TEST_F(ListeningSockets, TheFileGoesWithItsServer) {  // [SOCK-5]
  const auto path = at("s");
  {
    const auto socket = listen_on_unix(path, std::nullopt);
    const SocketFile file(path);
    EXPECT_TRUE(exists(path));
  }
  EXPECT_FALSE(exists(path));
}

TEST_F(ListeningSockets, TheFileStaysWhenAnotherServerHasIt) {  // [SOCK-5]
  const auto path = at("s");
  std::optional<ListeningSocket> newer;
  {
    auto older = listen_on_unix(path, std::nullopt);
    ASSERT_TRUE(older);
    const SocketFile file(path);
    older = std::unexpected(
        Error(ErrorCode::internal));            // closed, so that the next one takes the place
    std::filesystem::rename(path, at("kept"));  // or the file system would use its number again
    auto made = listen_on_unix(path, std::nullopt);
    ASSERT_TRUE(made) << made.error().detail();
    newer = *std::move(made);
  }
  EXPECT_TRUE(exists(path));
  RawClient reachable(path);

  {
    SocketFile handed_over(path);
    handed_over.leave();
  }
  EXPECT_TRUE(exists(path));
}

TEST_F(ListeningSockets, AdoptsOnlyWhatListens) {  // [SOCK-6]
  auto made = listen_on_tcp("127.0.0.1", 0);
  ASSERT_TRUE(made);
  const int inherited = made->release();
  ::fcntl(inherited, F_SETFD, 0);
  ::fcntl(inherited, F_SETFL, 0);
  const auto adopted = adopt_listening_socket(inherited);
  ASSERT_TRUE(adopted) << adopted.error().detail();
  EXPECT_EQ(::fcntl(inherited, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_EQ(::fcntl(inherited, F_GETFL) & O_NONBLOCK, O_NONBLOCK);

  const auto datagram = adopt_listening_socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_FALSE(datagram);
  EXPECT_TRUE(datagram.error().detail().contains("no stream socket that listens"));
  EXPECT_FALSE(adopt_listening_socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  const auto file = adopt_listening_socket(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_FALSE(file);
  EXPECT_TRUE(file.error().detail().contains("no socket"));
}

TEST(SocketAddresses, HaveNames) {
  const ListeningSocket unnamed(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(local_address(unnamed.fd()).text(), "@");
  EXPECT_EQ(local_address(-1).text(), "");
  if (const auto v6 = listen_on_tcp("[::1]", 0)) {
    EXPECT_EQ(address_of(v6->fd()), "[::1]:" + std::to_string(port_of(v6->fd())));
  }
}

}  // namespace
}  // namespace tus::server
