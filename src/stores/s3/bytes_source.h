// A body that is here already.
#pragma once

#include <tus/body_source.h>

#include <algorithm>
#include <cstring>

namespace tus::s3 {

class BytesSource final : public BodySource {
 public:
  // `bytes` must outlive it.
  explicit BytesSource(std::span<const std::byte> bytes) noexcept : left_(bytes) {}

  std::optional<std::uint64_t> remaining() const noexcept override { return left_.size(); }
  std::span<const std::byte> buffered() const noexcept override { return left_; }
  BodyState state() const noexcept override { return BodyState::complete; }
  Moved pull(std::span<std::byte> into) override {
    const auto n = std::min(into.size(), left_.size());
    if (n > 0) std::memcpy(into.data(), left_.data(), n);
    left_ = left_.subspan(n);
    return {n, BodyState::complete, 0};
  }
  // The store never asks for this.
  Moved move_to_file(int, std::uint64_t, std::uint64_t, std::span<std::byte>) override {
    return {0, BodyState::complete, 0};
  }
  bool wait_briefly(std::chrono::microseconds) override { return false; }
  Awaitable<BodyState> wait() override { co_return BodyState::complete; }
  void interrupt(BodyState) noexcept override {}

 private:
  std::span<const std::byte> left_;
};

}  // namespace tus::s3
