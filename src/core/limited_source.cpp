#include "core/limited_source.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace tus::core {

BodyState LimitedSource::state() const noexcept {
  if (ended_ != BodyState::open) return ended_;
  // At the edge the end of the inner body still has to be looked at by a pull.
  const auto inner = inner_.state();
  return inner == BodyState::complete && holding_ ? BodyState::open : inner;
}

BodySource::Moved LimitedSource::pull(std::span<std::byte> into) {
  if (ended_ != BodyState::open) return {0, ended_, 0};
  if (room_ < 2 || holding_) return pull_edge(into);
  const auto most = std::min<std::uint64_t>(into.size(), room_ - 1);
  auto moved = inner_.pull(into.first(most));
  room_ -= moved.bytes;
  if (moved.state != BodyState::open) ended_ = moved.state;
  return moved;
}

BodySource::Moved LimitedSource::pull_edge(std::span<std::byte> into) {
  if (!holding_ && room_ == 1) {
    auto last = inner_.pull({&held_, 1});
    if (last.bytes == 0) {
      ended_ = last.state;
      return {0, ended_, 0};
    }
    holding_ = true;
  }
  std::byte extra{};
  auto more = inner_.pull({&extra, 1});
  if (more.bytes > 0) {
    ended_ = BodyState::limit;
    return {0, ended_, 0};
  }
  ended_ = more.state;
  if (ended_ != BodyState::complete || !holding_) return {0, ended_, 0};
  into[0] = held_;
  room_ = 0;
  return {1, ended_, 0};
}

BodySource::Moved LimitedSource::move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                                              std::span<std::byte> scratch) {
  if (ended_ != BodyState::open) return {0, ended_, 0};
  if (room_ >= 2 && !holding_) {
    auto moved = inner_.move_to_file(fd, at, std::min(max, room_ - 1), scratch);
    room_ -= moved.bytes;
    if (moved.state != BodyState::open) ended_ = moved.state;
    return moved;
  }
  auto moved = pull_edge(scratch);
  if (moved.bytes == 1 && ::pwrite(fd, scratch.data(), 1, static_cast<off_t>(at)) != 1) {
    return {0, ended_, errno != 0 ? errno : EIO};
  }
  return moved;
}

Awaitable<BodyState> LimitedSource::wait() {
  if (ended_ != BodyState::open) co_return ended_;
  co_await inner_.wait();
  co_return state();
}

}  // namespace tus::core
