#include "server/input_buffer.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace tus::server {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(InputBuffer, GivesBytesInOrder) {
  InputBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  buffer.append(bytes("hello"));
  buffer.consume(1);
  buffer.append(bytes(" world"));
  EXPECT_EQ(buffer.text(), "ello world");
  std::array<std::byte, 5> out;
  EXPECT_EQ(buffer.take(out), 5u);
  EXPECT_EQ(buffer.text(), "world");
  EXPECT_EQ(buffer.take({out.data(), 2}), 2u);
  EXPECT_EQ(buffer.size(), 3u);
  EXPECT_EQ(buffer.take(out), 3u);
  EXPECT_EQ(buffer.take(out), 0u);
}

TEST(InputBuffer, HoldsNoMemoryWhileEmpty) {  // [HTTP-45]
  InputBuffer buffer;
  buffer.append(bytes(std::string(5000, 'x')));
  buffer.consume(5000);
  EXPECT_EQ(buffer.held(), 0u);
  buffer.append(bytes("x"));
  buffer.release();
  EXPECT_EQ(buffer.held(), 0u);
}

TEST(InputBuffer, UsedBytesDoNotPileUp) {  // [HTTP-45]
  InputBuffer buffer;
  buffer.append(bytes("x"));
  for (int i = 0; i < 10000; ++i) {
    buffer.append(bytes(std::string(100, 'x')));
    buffer.consume(100);
  }
  EXPECT_LT(buffer.held(), 1000u);
}

}  // namespace
}  // namespace tus::server
