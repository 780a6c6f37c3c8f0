// A body whose bytes somebody looks at on their way into a store.
#pragma once

#include <tus/body_source.h>

#include <cstddef>
#include <span>

namespace tus::core {

// Who is shown the bytes, in order, on whatever thread takes them from the source.
class ByteObserver {
 public:
  virtual ~ByteObserver() = default;
  virtual void saw(std::span<const std::byte> bytes) = 0;
};

// Shows the bytes that the destination has got, and no others. They all pass through user space.
class HashingSource final : public BodySource {
 public:
  // Both must outlive this.
  HashingSource(BodySource& inner, ByteObserver& observer) noexcept
      : inner_(inner), observer_(observer) {}

  std::optional<std::uint64_t> remaining() const noexcept override { return inner_.remaining(); }
  std::span<const std::byte> buffered() const noexcept override { return inner_.buffered(); }
  BodyState state() const noexcept override { return inner_.state(); }
  Moved pull(std::span<std::byte> into) override;
  Moved move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                     std::span<std::byte> scratch) override;
  bool wait_briefly(std::chrono::microseconds patience) override {
    return inner_.wait_briefly(patience);
  }
  Awaitable<BodyState> wait() override { return inner_.wait(); }
  void interrupt(BodyState reason) noexcept override { inner_.interrupt(reason); }

 private:
  BodySource& inner_;
  ByteObserver& observer_;
};

}  // namespace tus::core
