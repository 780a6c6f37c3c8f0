// A body of unknown length that may not bring more than an upload has room for.
#pragma once

#include <tus/body_source.h>

#include <cstddef>
#include <cstdint>

namespace tus::core {

// Gives at most `allowance` bytes. The last of them is held back until the body has ended without
// another byte: a body that is too long then never makes the upload look complete, and what it brought
// below the length is kept. Ends with BodyState::limit when there was more.
class LimitedSource final : public BodySource {
 public:
  // `inner` must outlive this.
  LimitedSource(BodySource& inner, std::uint64_t allowance) noexcept
      : inner_(inner), room_(allowance) {}

  std::optional<std::uint64_t> remaining() const noexcept override { return inner_.remaining(); }
  std::span<const std::byte> buffered() const noexcept override { return inner_.buffered(); }
  BodyState state() const noexcept override;
  Moved pull(std::span<std::byte> into) override;
  Moved move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                     std::span<std::byte> scratch) override;
  bool wait_briefly(std::chrono::microseconds patience) override {
    return inner_.wait_briefly(patience);
  }
  Awaitable<BodyState> wait() override;
  void interrupt(BodyState reason) noexcept override { inner_.interrupt(reason); }

 private:
  Moved pull_edge(std::span<std::byte> into);

  BodySource& inner_;
  std::uint64_t room_;  // bytes that may still be given, the held one included
  BodyState ended_ = BodyState::open;
  bool holding_ = false;
  std::byte held_{};
};

}  // namespace tus::core
