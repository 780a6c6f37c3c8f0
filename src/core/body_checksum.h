// Whether a body is what its client says.
#pragma once

#include "core/hashing_source.h"
#include "digest/hasher.h"
#include "protocol/checksum.h"

#include <map>
#include <memory>
#include <optional>

namespace tus::core {

// Hashes a body while it comes. A checksum that comes behind it names its algorithm only then, so that all
// of them are made.
class BodyChecksum final : public ByteObserver {
 public:
  explicit BodyChecksum(ChecksumDemand demand);

  void saw(std::span<const std::byte> bytes) override;

  // Once the body is complete, with its trailers. Errors: checksum_mismatch, invalid_checksum,
  // checksum_algorithm_unsupported. The last call.
  std::optional<ErrorCode> verdict(const Fields& trailers);

 private:
  ChecksumDemand demand_;
  std::map<ChecksumAlgorithm, std::unique_ptr<digest::Hasher>> hashers_;
};

// The same for a body that is here whole.
std::optional<ErrorCode> wrong_checksum(const ChecksumDemand& demand,
                                        std::span<const std::byte> body, const Fields& trailers);

}  // namespace tus::core
