// The body of a request, read piece by piece by curl.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace tus::net {

// The bytes belong to the caller, who may have gone on: forget() and read() come from different threads.
class SentPieces {
 public:
  explicit SentPieces(std::vector<std::span<const std::byte>> pieces);

  std::uint64_t size() const noexcept { return size_; }
  // How much of `into` was filled; nothing once the bytes are forgotten.
  std::optional<std::size_t> read(std::span<std::byte> into) noexcept;
  void rewind() noexcept;
  void forget() noexcept;

 private:
  const std::vector<std::span<const std::byte>> pieces_;
  const std::uint64_t size_;
  std::mutex mutex_;
  bool forgotten_ = false;
  std::size_t piece_ = 0;
  std::size_t offset_ = 0;  // in it
};

}  // namespace tus::net
