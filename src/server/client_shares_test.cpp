#include "server/client_shares.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace tus::server {
namespace {

using Kind = ClientKey::Kind;

TEST(ClientKey, IsTheAddressWithoutItsPort) {  // [ABUSE-12]
  const auto key = client_key("192.0.2.1");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->kind, Kind::ipv4);
  EXPECT_EQ(key->bits, 0xc0000201u);
  EXPECT_EQ(client_key("192.0.2.1:80"), key);
  EXPECT_EQ(client_key("::ffff:192.0.2.1"), key);
  EXPECT_EQ(client_key("[::ffff:192.0.2.1]:80"), key);
  EXPECT_NE(client_key("192.0.2.2"), key);
}

TEST(ClientKey, IsTheNetworkOfAnIpv6Address) {  // [ABUSE-12]
  const auto key = client_key("2001:db8:1:2::1");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->kind, Kind::ipv6_network);
  EXPECT_EQ(key->bits, 0x20010db800010002u);
  EXPECT_EQ(client_key("[2001:db8:1:2::1]"), key);
  EXPECT_EQ(client_key("[2001:db8:1:2:ffff:ffff:ffff:ffff]:4711"), key);
  EXPECT_NE(client_key("2001:db8:1:3::1"), key);
  EXPECT_NE(client_key("::192.0.2.1"), client_key("192.0.2.1")) << "not the same as mapped";
}

TEST(ClientKey, OfNothingElse) {  // [ABUSE-12]
  for (const char* text : {"", "@", "/run/socket", "unknown", "_hidden", "_hidden:80", "[", "[]",
                           "]", ":", "1.2.3", "1.2.3.4.5", "2001:db8::g", "localhost"}) {
    EXPECT_FALSE(client_key(text)) << text;
  }
  EXPECT_FALSE(client_key(std::string(1000, '1')));
}

TEST(ClientShares, EachClientHasItsOwn) {  // [ABUSE-10]
  ClientShares shares;
  const ClientKey one{1, Kind::ipv4}, two{2, Kind::ipv4};
  auto first = shares.take(one, 2);
  auto second = shares.take(one, 2);
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(shares.take(one, 2));
  EXPECT_TRUE(shares.take(two, 2));
  EXPECT_FALSE(shares.take({1, Kind::ipv6_network}, 0));
  EXPECT_TRUE(shares.take({1, Kind::ipv6_network}, 1)) << "the same bits, but not the same client";
  second.reset();
  auto moved = std::move(first);
  EXPECT_TRUE(shares.take(one, 2)) << "given back at once";
  auto third = shares.take(one, 2);
  EXPECT_FALSE(shares.take(one, 2));
  EXPECT_TRUE(shares.take(one, 3)) << "a limit that was raised";
}

TEST(ClientShares, WhoHasNothingTakesNoMemory) {  // [ABUSE-10]
  ClientShares shares;
  {
    auto a = shares.take({1, Kind::ipv4}, 1);
    auto b = shares.take({2, Kind::ipv4}, 1, 7);
    EXPECT_EQ(shares.clients(), 2u);
  }
  EXPECT_EQ(shares.clients(), 0u);
}

TEST(ClientShares, TheSameThingCountsOnce) {  // [ABUSE-21]
  ClientShares shares;
  const ClientKey key{1, Kind::ipv4};
  auto first = shares.take(key, 1, 7);
  auto again = shares.take(key, 1, 7);
  EXPECT_TRUE(first && again);
  EXPECT_FALSE(shares.take(key, 1, 8));
  EXPECT_FALSE(shares.take(key, 1));
  first.reset();
  EXPECT_FALSE(shares.take(key, 1, 8)) << "one of them is still there";
  again.reset();
  EXPECT_TRUE(shares.take(key, 1, 8));
}

}  // namespace
}  // namespace tus::server
