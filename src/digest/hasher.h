// Digests of bytes that come piece by piece.
#pragma once

#include "protocol/checksum.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace tus::digest {

class Hasher {
 public:
  virtual ~Hasher() = default;
  virtual void update(std::span<const std::byte> bytes) = 0;
  // The digest of all that came, as a client sends it. The last call.
  virtual std::string finish() = 0;
};

std::unique_ptr<Hasher> make_hasher(ChecksumAlgorithm algorithm);

std::string digest_of(ChecksumAlgorithm algorithm, std::span<const std::byte> bytes);

}  // namespace tus::digest
