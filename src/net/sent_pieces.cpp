#include "net/sent_pieces.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tus::net {

namespace {

std::uint64_t sum_of(const std::vector<std::span<const std::byte>>& pieces) {
  std::uint64_t sum = 0;
  for (const auto& piece : pieces) sum += piece.size();
  return sum;
}

}  // namespace

SentPieces::SentPieces(std::vector<std::span<const std::byte>> pieces)
    : pieces_(std::move(pieces)), size_(sum_of(pieces_)) {}

std::optional<std::size_t> SentPieces::read(std::span<std::byte> into) noexcept {
  const std::lock_guard lock(mutex_);
  if (forgotten_) return std::nullopt;
  std::size_t given = 0;
  while (given < into.size() && piece_ < pieces_.size()) {
    const auto rest = pieces_[piece_].subspan(offset_);
    const auto count = std::min(rest.size(), into.size() - given);
    if (count > 0) std::memcpy(into.data() + given, rest.data(), count);
    given += count;
    offset_ += count;
    if (offset_ == pieces_[piece_].size()) {
      ++piece_;
      offset_ = 0;
    }
  }
  return given;
}

void SentPieces::rewind() noexcept {
  const std::lock_guard lock(mutex_);
  piece_ = 0;
  offset_ = 0;
}

void SentPieces::forget() noexcept {
  const std::lock_guard lock(mutex_);
  forgotten_ = true;
}

}  // namespace tus::net
