#include "digest/hasher.h"

#include "digest/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace tus::digest {
namespace {

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += digits[static_cast<unsigned char>(c) >> 4];
    text += digits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string digest(ChecksumAlgorithm algorithm, std::string_view text) {
  return hex(digest_of(algorithm, bytes_of(text)));
}

// [CHECK-56] FIPS 180-4 examples (NIST), RFC 1321 A.5, the check values of the CRC catalogue, RFC 3720 B.4.
TEST(hasher, published_vectors) {
  using enum ChecksumAlgorithm;
  const std::string_view two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  EXPECT_EQ(digest(sha1, "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(digest(sha1, two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(digest(sha1, ""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(digest(sha256, "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest(sha256, two_blocks),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest(sha512, "abc"),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  EXPECT_EQ(digest(md5, ""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(digest(md5, "message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(digest(crc32, "123456789"), "cbf43926");
  EXPECT_EQ(digest(crc32, ""), "00000000");
  EXPECT_EQ(digest(crc32c, "123456789"), "e3069283");
  EXPECT_EQ(digest(crc32c, std::string(32, '\0')), "8a9136aa");
  EXPECT_EQ(digest(crc32c, std::string(32, '\xff')), "62a8ab43");
  std::string counting;
  for (int i = 0; i < 32; ++i) counting += static_cast<char>(i);
  EXPECT_EQ(digest(crc32c, counting), "46dd794e");
}

TEST(hasher, pieces_make_the_same_digest_as_the_whole) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i);
  using enum ChecksumAlgorithm;
  for (const auto algorithm : {sha1, md5, sha256, sha512, crc32, crc32c}) {
    const auto hasher = make_hasher(algorithm);
    std::string_view rest = text;
    for (std::size_t piece = 1; !rest.empty(); piece = piece * 3 % 101 + 1) {
      hasher->update(bytes_of(rest.substr(0, piece)));
      rest.remove_prefix(std::min(piece, rest.size()));
    }
    const auto made = hasher->finish();
    EXPECT_EQ(hex(made), digest(algorithm, text));
    EXPECT_EQ(made.size(), protocol::digest_size(algorithm));
  }
}

// Whatever the processor of the tests has, both ways are looked at.
TEST(crc32c, table_and_instruction_agree) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text += static_cast<char>(i * 7 + i / 5);
    EXPECT_EQ(crc32c(17, bytes_of(text)), crc32c_by_table(17, bytes_of(text))) << i;
  }
  EXPECT_EQ(crc32c_by_table(0, bytes_of("123456789")), 0xe3069283u);
}

}  // namespace
}  // namespace tus::digest
