#include "core/body_checksum.h"

#include <utility>

namespace tus::core {

BodyChecksum::BodyChecksum(ChecksumDemand demand) : demand_(std::move(demand)) {
  using enum ChecksumAlgorithm;
  for (const auto algorithm : {sha1, md5, sha256, sha512, crc32, crc32c}) {
    if (demand_.known && demand_.known->algorithm != algorithm) continue;
    hashers_.emplace(algorithm, digest::make_hasher(algorithm));
  }
}

void BodyChecksum::saw(std::span<const std::byte> bytes) {
  for (auto& [algorithm, hasher] : hashers_) hasher->update(bytes);
}

std::optional<ErrorCode> BodyChecksum::verdict(const Fields& trailers) {
  const auto wanted = protocol::settle_checksum(demand_, trailers);
  if (!wanted) return wanted.error();
  const bool same = hashers_.at(wanted->algorithm)->finish() == wanted->digest;
  return same ? std::nullopt : std::optional(ErrorCode::checksum_mismatch);
}

std::optional<ErrorCode> wrong_checksum(const ChecksumDemand& demand,
                                        std::span<const std::byte> body, const Fields& trailers) {
  BodyChecksum checksum(demand);
  checksum.saw(body);
  return checksum.verdict(trailers);
}

}  // namespace tus::core
