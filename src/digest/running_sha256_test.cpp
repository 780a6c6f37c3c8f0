#include "digest/running_sha256.h"

#include "digest/hasher.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tus::digest {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// [DIGEST-3] NIST's example of a million times the letter a, put aside and taken up again all the time.
TEST(running_sha256, goes_on_from_its_state) {
  const std::string piece(997, 'a');
  RunningSha256 running;
  for (std::size_t left = 1'000'000; left > 0;) {
    const auto n = std::min(left, piece.size());
    running.update(bytes_of(std::string_view(piece).substr(0, n)));
    left -= n;
    auto again = RunningSha256::from_state(running.state());
    ASSERT_TRUE(again);
    running = *again;
  }
  EXPECT_EQ(running.size(), 1'000'000u);
  EXPECT_EQ(running.digest(),
            "\xcd\xc7\x6e\x5c\x99\x14\xfb\x92\x81\xa1\xc7\xe2\x84\xd7\x3e\x67"
            "\xf1\x80\x9a\x48\xa4\x97\x20\x0e\x04\x6d\x39\xcc\xc7\x11\x2c\xd0");
}

TEST(running_sha256, pieces_of_every_size) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += static_cast<char>(i * 11 + i / 7);
  for (std::size_t piece = 1; piece <= 200; ++piece) {
    RunningSha256 running;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      running.update(bytes_of(text.substr(at, piece)));
      const auto so_far = std::min(at + piece, text.size());
      ASSERT_EQ(running.digest(),
                digest_of(ChecksumAlgorithm::sha256, bytes_of(text.substr(0, so_far))))
          << piece << ' ' << at;
    }
  }
  EXPECT_EQ(RunningSha256().digest(), digest_of(ChecksumAlgorithm::sha256, {}));
}

TEST(running_sha256, states_that_are_none) {
  RunningSha256 running;
  running.update(bytes_of("12345"));
  const auto state = running.state();
  EXPECT_EQ(state.size(), 45u);
  EXPECT_FALSE(RunningSha256::from_state(""));
  EXPECT_FALSE(RunningSha256::from_state(state.substr(0, 44)));
  EXPECT_FALSE(RunningSha256::from_state(state + "x"));
  EXPECT_FALSE(RunningSha256::from_state(std::string(40, '\xff')));
  EXPECT_TRUE(RunningSha256::from_state(RunningSha256().state()));
}

}  // namespace
}  // namespace tus::digest
