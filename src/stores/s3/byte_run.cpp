#include "stores/s3/byte_run.h"

#include <algorithm>
#include <cstring>

namespace tus::s3 {

void ByteRun::restart(std::uint64_t start) {
  chunks_.clear();
  start_ = start;
  size_ = 0;
  skip_ = 0;
}

std::span<std::byte> ByteRun::space(std::size_t most) {
  const auto used = skip_ + static_cast<std::size_t>(size_);
  if (used == chunks_.size() * chunk_) {
    chunks_.push_back(pool_.take());
  }
  const auto at = used % chunk_;
  return {chunks_.back().get() + at, std::min(most, chunk_ - at)};
}

void ByteRun::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    auto to = space(bytes.size());
    std::memcpy(to.data(), bytes.data(), to.size());
    grow(to.size());
    bytes = bytes.subspan(to.size());
  }
}

Slice ByteRun::view(std::uint64_t bytes) const {
  Slice slice;
  slice.start = start_;
  slice.size = std::min(bytes, size_);
  auto left = static_cast<std::size_t>(slice.size);
  auto skip = skip_;
  for (const auto& chunk : chunks_) {
    if (left == 0) break;
    const auto n = std::min(left, chunk_ - skip);
    slice.payload.pieces.emplace_back(chunk.get() + skip, n);
    slice.owners.push_back(chunk);
    left -= n;
    skip = 0;
  }
  return slice;
}

Slice ByteRun::cut(std::uint64_t bytes) {
  auto slice = view(bytes);
  slice.room = room.split(slice.size);
  start_ += slice.size;
  size_ -= slice.size;
  skip_ += static_cast<std::size_t>(slice.size);
  while (!chunks_.empty() && skip_ >= chunk_) {
    chunks_.pop_front();
    skip_ -= chunk_;
  }
  return slice;
}

}  // namespace tus::s3
