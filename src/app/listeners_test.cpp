#include "app/listeners.h"

#include "server/socket_address.h"

#include <tus/testing/raw_client.h>
#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

namespace tus::app {
namespace {

Config on(const std::string& host, std::uint16_t port = 0) {
  Config config;
  config.host = host;
  config.port = port;
  return config;
}

int handed_over(const std::string& host, std::uint16_t port = 0) {
  auto socket = server::listen_on_tcp(host, port);
  EXPECT_TRUE(socket) << socket.error().detail();
  return socket->release();
}

TEST(Listeners, OnePortForAllAddresses) {  // [SOCK-1]
  Inherited nothing;
  const auto open = Listeners::open(on("127.0.0.1,127.0.0.2"), nothing);
  ASSERT_TRUE(open) << open.error();
  ASSERT_EQ(open->all().size(), 2u);
  const auto port = std::to_string(server::port_of(open->all()[0].socket.fd()));
  EXPECT_EQ(open->all()[0].name, "127.0.0.1:" + port);
  EXPECT_EQ(open->all()[1].name, "127.0.0.2:" + port);
  EXPECT_FALSE(open->of_manager());
}

TEST(Listeners, AnyPortIsOneThatIsFreeOnAllAddresses) {  // [SOCK-1]
  // So many that without a second attempt some of the starts below would meet one.
  std::vector<server::ListeningSocket> others;
  for (int i = 0; i < 700; ++i) {
    auto other = server::listen_on_tcp("127.0.0.2", 0);
    ASSERT_TRUE(other) << other.error().detail();
    others.push_back(*std::move(other));
  }
  for (int i = 0; i < 300; ++i) {
    Inherited nothing;
    const auto open = Listeners::open(on("127.0.0.1,127.0.0.2"), nothing);
    ASSERT_TRUE(open) << i << ": " << open.error();
  }
}

TEST(Listeners, AreNamedAsTheOperatorWroteThem) {  // [SOCK-1]
  Inherited nothing;
  for (const std::string host : {"localhost", "0.0.0.0", ""}) {
    const auto open = Listeners::open(on(host), nothing);
    ASSERT_TRUE(open) << open.error();
    const auto port = std::to_string(server::port_of(open->all()[0].socket.fd()));
    EXPECT_EQ(open->all()[0].name, host + ":" + port);
  }
}

TEST(Listeners, OneThatDoesNotOpenIsTheEnd) {  // [SOCK-8]
  Inherited nothing;
  const auto open = Listeners::open(on("127.0.0.1,192.0.2.1"), nothing);
  ASSERT_FALSE(open);
  EXPECT_TRUE(open.error().contains("192.0.2.1")) << open.error();
}

TEST(Listeners, TheManagersCountInsteadOfTheFlags) {  // [SOCK-6]
  Inherited given;
  given.from_manager = {handed_over("127.0.0.1"), handed_over("127.0.0.2")};
  const auto expected = given.from_manager;
  const auto open = Listeners::open(on("192.0.2.1", 1), given);
  ASSERT_TRUE(open) << open.error();
  EXPECT_TRUE(open->of_manager());
  ASSERT_EQ(open->all().size(), 2u);
  EXPECT_EQ(open->all()[0].socket.fd(), expected[0]);
  EXPECT_EQ(open->all()[1].name, server::address_of(expected[1]));
}

TEST(Listeners, ThePredecessorsAreUsedWhereTheyFit) {  // [STOP-8]
  Inherited given;
  const int first = handed_over("127.0.0.1");
  const int second = handed_over("127.0.0.2");
  const int unwanted = handed_over("127.0.0.3");
  const auto unwanted_port = server::port_of(unwanted);
  const auto port = server::port_of(second);
  given.from_predecessor = {first, unwanted, second};
  const auto open = Listeners::open(on("127.0.0.2", port), given);
  ASSERT_TRUE(open) << open.error();
  EXPECT_EQ(open->all()[0].socket.fd(), second);
  EXPECT_EQ(given.from_predecessor, std::vector<int>());
  // The others are closed: their ports are free.
  EXPECT_TRUE(server::listen_on_tcp("127.0.0.3", unwanted_port));

  given.from_predecessor = {handed_over("0.0.0.0")};
  const int everywhere = given.from_predecessor[0];
  const auto again = Listeners::open(on("0.0.0.0", server::port_of(everywhere)), given);
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->all()[0].socket.fd(), everywhere);

  given.from_predecessor = {handed_over("localhost")};
  const int by_name = given.from_predecessor[0];
  const auto named = Listeners::open(on("localhost", 0), given);
  ASSERT_TRUE(named) << named.error();
  EXPECT_EQ(named->all()[0].socket.fd(), by_name);
}

TEST(Listeners, ThePredecessorsUnixSocket) {  // [SOCK-5] [STOP-8]
  const testing::TemporaryDirectory directory;
  Config config;
  config.unix_sock = (directory.path() / "s").string();
  auto socket = server::listen_on_unix(config.unix_sock, std::nullopt);
  ASSERT_TRUE(socket);
  const int old = ::dup(socket->fd());
  Inherited given;
  given.from_predecessor = {old};
  {
    const auto open = Listeners::open(config, given);
    ASSERT_TRUE(open) << open.error();
    EXPECT_EQ(open->all()[0].socket.fd(), old);
    EXPECT_EQ(open->all()[0].name, config.unix_sock);
  }
  EXPECT_TRUE(std::filesystem::exists(config.unix_sock)) << "a start that fails takes nothing away";
  {
    given.from_predecessor = {::dup(socket->fd())};
    auto open = Listeners::open(config, given);
    ASSERT_TRUE(open) << open.error();
    open->own_files();
  }
  EXPECT_FALSE(std::filesystem::exists(config.unix_sock));
  // Without its file the old socket cannot be reached.
  given.from_predecessor = {::dup(socket->fd())};
  const auto fresh = Listeners::open(config, given);
  ASSERT_TRUE(fresh) << fresh.error();
  testing::RawClient reached(config.unix_sock);
}

}  // namespace
}  // namespace tus::app
