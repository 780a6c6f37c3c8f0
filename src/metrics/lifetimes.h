// When uploads were created, so that it can be told how long they took.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace tus::metrics {

// Of fixed size, without a lock: it forgets the oldest of those that share a row when there is no room, and knows an
// upload by a part of the hash of its id. So it is for statistics. Any thread.
class Lifetimes {
 public:
  using Point = std::chrono::steady_clock::time_point;

  explicit Lifetimes(Point now);

  void begin(std::string_view id, Point now) noexcept;
  // How long it has been there, up to 127 days; nothing when that is not known. It is forgotten then.
  std::optional<std::chrono::nanoseconds> end(std::string_view id, Point now) noexcept;

  static constexpr std::size_t rows = 4096;
  static constexpr std::size_t in_a_row = 8;  // a line of the processor's cache

 private:
  using Entry = std::uint64_t;  // 24 bits of a hash, never 0, and 40 bits of time
  using Row = std::array<std::atomic<Entry>, in_a_row>;
  struct Key {
    Row& row;
    Entry tag;
  };

  Key key_of(std::string_view id) noexcept;
  Entry ticks(Point now) const noexcept;

  Point start_;
  std::unique_ptr<std::array<Row, rows>> rows_;
};

}  // namespace tus::metrics
