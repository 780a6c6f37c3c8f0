// Bytes of one upload in memory: grows at the end without moving what is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tus::memory_store {

// Used by one thread at a time.
class ByteList {
 public:
  std::uint64_t size() const noexcept { return size_; }

  // Free room at the end, at least one byte, at most `wanted` (which is not 0). What is written there
  // counts after commit().
  std::span<std::byte> room(std::size_t wanted);
  void commit(std::size_t bytes) noexcept;

  void append(std::span<const std::byte> bytes);
  // Cuts off what is beyond `size`; memory that is not needed any more is freed.
  void truncate(std::uint64_t size) noexcept;
  // Up to into.size() bytes from `at` on; 0 at the end.
  std::size_t read(std::uint64_t at, std::span<std::byte> into) const noexcept;

 private:
  struct Block {
    std::uint64_t start;
    std::size_t capacity;
    std::unique_ptr<std::byte[]> bytes;
  };

  std::vector<Block> blocks_;
  std::uint64_t size_ = 0;
};

}  // namespace tus::memory_store
