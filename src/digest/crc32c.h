// CRC-32C (Castagnoli; RFC 3720 appendix B.4), which zlib does not have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tus::digest {

// Of what had the sum `crc` (nothing: 0), followed by `bytes`. By the processor's instruction where it has one.
std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> bytes) noexcept;

// The same by a table, on any processor.
std::uint32_t crc32c_by_table(std::uint32_t crc, std::span<const std::byte> bytes) noexcept;

}  // namespace tus::digest
