// How many connections there are, and which of them go so that others can come.
#pragma once

#include "server/loop.h"

#include <tus/live_settings.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace tus::server {

// Any thread, but for use(). It must outlive the places it gives. Shared, because what it asks of loops may come after it.
class Admission : public std::enable_shared_from_this<Admission> {
 public:
  // One connection. It is leaving between being told to and its end.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)), leaving_(std::exchange(other.leaving_, false)) {}
    Place& operator=(Place&& other) noexcept {
      Place old(std::move(other));
      std::swap(of_, old.of_);
      std::swap(leaving_, old.leaving_);
      return *this;
    }
    ~Place();

    bool leaving() const noexcept { return leaving_; }
    void leave() noexcept;
    void stay() noexcept;  // after all

   private:
    friend class Admission;
    explicit Place(Admission& of) noexcept : of_(&of) {}

    Admission* of_ = nullptr;
    bool leaving_ = false;
  };

  enum class Verdict : std::uint8_t {
    welcome,
    crowded,  // welcome, but no more of them for a moment: others are still leaving
    full,     // every connection has a request
  };

  explicit Admission(std::shared_ptr<const LiveSettings> settings);

  // Before the first connection.
  void use(std::vector<std::shared_ptr<Loop>> loops) { loops_ = std::move(loops); }

  // For a connection that is here. Tells another one to leave when that is needed.
  Verdict judge();
  Place take_place() noexcept;
  // Tells the connection to leave that has waited longest for a request, and more when there are still too many. False when none waits.
  bool make_room();

  std::uint64_t open() const noexcept { return counts_.load(std::memory_order_relaxed) / one_open; }

 private:
  static constexpr std::uint64_t one_leaving = 1;
  static constexpr std::uint64_t one_open = std::uint64_t{1} << 32;

  // Those that are leaving do not count.
  bool has_more_than(std::uint64_t connections) const noexcept;

  std::shared_ptr<const LiveSettings> settings_;
  std::vector<std::shared_ptr<Loop>> loops_;
  // One number, so that both are of the same moment: those that are open, and in the lower half those of them that are
  // leaving.
  std::atomic<std::uint64_t> counts_ = 0;
};

}  // namespace tus::server
