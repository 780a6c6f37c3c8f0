// Upload-Checksum: which algorithms there are, and what a client may say.
#pragma once

#include <tus/error.h>
#include <tus/message.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

TUS_NAMESPACE_BEGIN

enum class ChecksumAlgorithm : std::uint8_t { sha1, md5, sha256, sha512, crc32, crc32c };

struct Checksum {
  ChecksumAlgorithm algorithm = ChecksumAlgorithm::sha1;
  std::string
      digest;  // bytes, as many as the algorithm makes; those of a CRC with the highest first
};

// What has to be true of the body of a request before any of it counts.
struct ChecksumDemand {
  ChecksumDemand() = default;
  explicit ChecksumDemand(Checksum c) : known(std::move(c)) {}

  std::optional<Checksum> known;  // nothing: it comes behind the body, as a trailer
};

TUS_NAMESPACE_END

namespace tus::protocol {

// "sha1,md5,...", as in Tus-Checksum-Algorithm.
std::string_view checksum_algorithms() noexcept;
std::size_t digest_size(ChecksumAlgorithm algorithm) noexcept;

// algorithm SP base64, both exactly as the grammar has them. Errors: invalid_checksum,
// checksum_algorithm_unsupported.
std::expected<Checksum, ErrorCode> parse_checksum(std::string_view value);

// What the head of a request demands; nothing when it brings no checksum. Errors as above, and
// invalid_checksum for a checksum that is there and announced as a trailer too.
std::expected<std::optional<ChecksumDemand>, ErrorCode> checksum_of(const RequestHead& head);

// The checksum that a head demands, once the body is over. Error also where it did not come, came twice, or
// came beside the one in the head.
std::expected<Checksum, ErrorCode> settle_checksum(const ChecksumDemand& demand,
                                                   const Fields& trailers);

}  // namespace tus::protocol
