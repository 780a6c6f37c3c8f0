// A SHA-256 that can be put aside and gone on with, also by another process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tus::digest {

class RunningSha256 {
 public:
  RunningSha256() noexcept;

  void update(std::span<const std::byte> bytes) noexcept;
  // Of all bytes so far; more may come afterwards.
  std::string digest() const;
  std::uint64_t size() const noexcept { return size_; }

  // Bytes that bring everything back: the chaining value, the number of bytes, and the begun block.
  std::string state() const;
  static std::optional<RunningSha256> from_state(std::string_view state);

 private:
  static constexpr std::size_t block_size = 64;

  std::uint32_t chain_[8];
  std::uint64_t size_ = 0;
  std::byte block_[block_size]{};  // its first size_ % 64 bytes
};

}  // namespace tus::digest
