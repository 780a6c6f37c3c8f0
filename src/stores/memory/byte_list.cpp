#include "stores/memory/byte_list.h"

#include <algorithm>
#include <cstring>

namespace tus::memory_store {

namespace {
constexpr std::size_t smallest_block = 4 << 10;
constexpr std::size_t largest_block = 1 << 20;
}  // namespace

std::span<std::byte> ByteList::room(std::size_t wanted) {
  if (blocks_.empty() || size_ - blocks_.back().start == blocks_.back().capacity) {
    // Doubling keeps small uploads small and the list of large ones short.
    auto last = blocks_.empty() ? 0 : blocks_.back().capacity;
    auto capacity = std::clamp(std::max(wanted, last * 2), smallest_block, largest_block);
    auto bytes = std::make_unique_for_overwrite<std::byte[]>(capacity);
    blocks_.push_back(Block{size_, capacity, std::move(bytes)});
  }
  auto& block = blocks_.back();
  auto used = static_cast<std::size_t>(size_ - block.start);
  return {block.bytes.get() + used, std::min(wanted, block.capacity - used)};
}

void ByteList::commit(std::size_t bytes) noexcept { size_ += bytes; }

void ByteList::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    auto to = room(bytes.size());
    std::memcpy(to.data(), bytes.data(), to.size());
    commit(to.size());
    bytes = bytes.subspan(to.size());
  }
}

void ByteList::truncate(std::uint64_t size) noexcept {
  if (size >= size_) return;
  while (!blocks_.empty() && blocks_.back().start >= size) blocks_.pop_back();
  size_ = size;
}

std::size_t ByteList::read(std::uint64_t at, std::span<std::byte> into) const noexcept {
  auto wanted = at < size_ ? std::min<std::uint64_t>(into.size(), size_ - at) : 0;
  auto after = [](std::uint64_t position, const Block& block) { return position < block.start; };
  std::size_t done = 0;
  auto block = std::upper_bound(blocks_.begin(), blocks_.end(), at, after);
  while (done < wanted) {
    const auto& from = *std::prev(block++);
    auto skip = static_cast<std::size_t>(at + done - from.start);
    auto n = static_cast<std::size_t>(std::min<std::uint64_t>(wanted - done, from.capacity - skip));
    std::memcpy(into.data() + done, from.bytes.get() + skip, n);
    done += n;
  }
  return done;
}

}  // namespace tus::memory_store
