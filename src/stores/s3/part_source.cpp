#include "stores/s3/part_source.h"

#include <algorithm>
#include <utility>

namespace tus::s3 {

namespace {

constexpr std::size_t step = 256 << 10;

}  // namespace

StreamedPart::StreamedPart(Slice before, BodySource& body, std::uint64_t size)
    : before_(std::move(before)), body_(body), size_(size), buffer_(step) {}

Awaitable<std::span<const std::byte>> StreamedPart::next() {
  if (piece_ < before_.payload.pieces.size()) {
    const auto piece = before_.payload.pieces[piece_++];
    given_ += piece.size();
    co_return piece;
  }
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(step, size_ - given_));
  while (most > 0) {
    const auto moved = body_.pull(std::span(buffer_).first(most));
    if (moved.bytes > 0) {
      given_ += moved.bytes;
      co_return std::span<const std::byte>(buffer_).first(static_cast<std::size_t>(moved.bytes));
    }
    if (moved.state != BodyState::open && body_.buffered().empty()) break;
    (void)co_await body_.wait();
  }
  co_return std::span<const std::byte>();
}

}  // namespace tus::s3
