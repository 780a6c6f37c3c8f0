#include "stores/limited/room_source.h"

namespace tus::limited_store {

void RoomSource::count(std::uint64_t taken, std::uint64_t moved) noexcept {
  given_ += moved;
  if (taken > moved) ledger_.give_back(account_, taken - moved);
}

// Whether there is more shows when it is asked for.
BodySource::Moved RoomSource::no_room() {
  std::byte probe{};
  const auto moved = inner_.pull({&probe, 1});
  if (moved.bytes == 0) return moved;
  is_full_ = true;
  return {0, end_, 0};
}

BodySource::Moved RoomSource::pull(std::span<std::byte> into) {
  if (is_full_) return {0, end_, 0};
  const auto taken = ledger_.take_some(account_, into.size());
  if (taken == 0 && !into.empty()) return no_room();
  const auto moved = inner_.pull(into.first(static_cast<std::size_t>(taken)));
  count(taken, moved.bytes);
  return moved;
}

BodySource::Moved RoomSource::move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                                           std::span<std::byte> scratch) {
  if (is_full_) return {0, end_, 0};
  const auto taken = ledger_.take_some(account_, max);
  if (taken == 0 && max > 0) return no_room();
  const auto moved = inner_.move_to_file(fd, at, taken, scratch);
  count(taken, moved.bytes);
  return moved;
}

Awaitable<BodyState> RoomSource::wait() {
  if (is_full_) co_return end_;
  co_return co_await inner_.wait();
}

}  // namespace tus::limited_store
