// Points in time that are passed down a call chain; never durations, which each layer would restart.
#pragma once

#include <tus/export.h>

#include <chrono>

TUS_NAMESPACE_BEGIN

class Deadline {
 public:
  using Point = std::chrono::steady_clock::time_point;

  static Deadline never() noexcept { return Deadline(Point::max()); }
  static Deadline at(Point when) noexcept { return Deadline(when); }
  // Overflow-safe: a duration too long to add means never.
  static Deadline after(Point now, std::chrono::nanoseconds wait) noexcept {
    return wait > Point::max() - now ? never() : Deadline(now + wait);
  }

  bool is_never() const noexcept { return when_ == Point::max(); }
  bool passed(Point now) const noexcept { return now >= when_; }
  Point when() const noexcept { return when_; }
  Deadline sooner(Deadline other) const noexcept { return when_ < other.when_ ? *this : other; }

 private:
  explicit Deadline(Point when) noexcept : when_(when) {}
  Point when_;
};

TUS_NAMESPACE_END
