// Bytes of an upload in memory, in one piece as far as the upload is concerned.
#pragma once

#include "stores/s3/budget.h"
#include "stores/s3/chunk_pool.h"
#include "stores/s3/client/bucket.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

namespace tus::s3 {

// A view of some of the bytes that keeps them alive.
struct Slice {
  Slice() = default;

  std::uint64_t start = 0;  // in the upload
  std::uint64_t size = 0;
  Payload payload;
  std::vector<Chunk> owners;
  Room room;
};

// Grows at its end and is cut off at its beginning. Who grows it has reserved the room before.
class ByteRun {
 public:
  explicit ByteRun(const ChunkPool& chunks) : pool_(chunks), chunk_(chunks.chunk()) {}

  std::uint64_t start() const noexcept { return start_; }
  std::uint64_t end() const noexcept { return start_ + size_; }
  std::uint64_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  // Empty from here on, with the room that it has.
  void restart(std::uint64_t start);
  // For at most `most` bytes; grow() says how many were put there.
  std::span<std::byte> space(std::size_t most);
  void grow(std::size_t bytes) noexcept { size_ += bytes; }
  void append(std::span<const std::byte> bytes);

  Room room;

  // The first so many bytes, which stay in the run. Without room.
  Slice view(std::uint64_t bytes) const;
  // The same, cut off, with their room.
  Slice cut(std::uint64_t bytes);

 private:
  ChunkPool pool_;
  std::size_t chunk_;  // bytes of each
  std::uint64_t start_ = 0;
  std::uint64_t size_ = 0;
  std::size_t skip_ = 0;  // bytes at the beginning of the first chunk that were cut off
  std::deque<Chunk> chunks_;
};

}  // namespace tus::s3
