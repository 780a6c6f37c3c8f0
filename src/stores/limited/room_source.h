// A body that may not bring more than there is room for.
#pragma once

#include "stores/limited/ledger.h"

#include <tus/body_source.h>

namespace tus::limited_store {

// Takes room for what it gives, when it gives it. Ends when there is no room and more is here; only then is
// a byte lost.
class RoomSource final : public BodySource {
 public:
  // All must outlive this.
  RoomSource(BodySource& inner, Ledger& ledger, Ledger::Account& account) noexcept
      : inner_(inner), ledger_(ledger), account_(account) {}

  std::optional<std::uint64_t> remaining() const noexcept override { return inner_.remaining(); }
  std::span<const std::byte> buffered() const noexcept override { return inner_.buffered(); }
  BodyState state() const noexcept override { return is_full_ ? end_ : inner_.state(); }
  Moved pull(std::span<std::byte> into) override;
  Moved move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                     std::span<std::byte> scratch) override;
  bool wait_briefly(std::chrono::microseconds patience) override {
    return !is_full_ && inner_.wait_briefly(patience);
  }
  Awaitable<BodyState> wait() override;
  void interrupt(BodyState reason) noexcept override { inner_.interrupt(reason); }

  bool is_full() const noexcept { return is_full_; }
  // Room taken for bytes that were given.
  std::uint64_t given() const noexcept { return given_; }

 private:
  static constexpr BodyState end_ = BodyState::limit;

  Moved no_room();
  void count(std::uint64_t taken, std::uint64_t moved) noexcept;

  BodySource& inner_;
  Ledger& ledger_;
  Ledger::Account& account_;
  std::uint64_t given_ = 0;
  bool is_full_ = false;
};

}  // namespace tus::limited_store
