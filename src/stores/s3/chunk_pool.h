// Where the chunks come from that bodies wait in.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace tus::s3 {

// A chunk is back when its last owner is gone.
using Chunk = std::shared_ptr<std::byte[]>;

// Chunks that were given back are given out again, by whatever thread: the allocator keeps them for the
// thread that took them first, and with many threads that is memory many times over. The kernel gets back
// what has not been needed for a while; addresses stay, so that they cannot be too many. Any thread. Chunks
// keep what they need of it.
class ChunkPool {
 public:
  // `kept`: bytes of free chunks that the kernel does not get back.
  ChunkPool(std::size_t chunk, std::size_t kept);
  // Copies give out the same chunks; there is no moving, so that none is ever without.
  ChunkPool(const ChunkPool&) = default;
  ChunkPool& operator=(const ChunkPool&) = default;

  std::size_t chunk() const noexcept;
  // Of any content. Throws std::bad_alloc.
  Chunk take();

  struct Figures {
    std::size_t in_use = 0;    // bytes of chunks that somebody owns
    std::size_t resident = 0;  // and of those that may be in memory
  };
  Figures figures() const;

 private:
  class Shelf;
  std::shared_ptr<Shelf> shelf_;
};

}  // namespace tus::s3
