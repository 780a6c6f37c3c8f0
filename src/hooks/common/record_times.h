// The times in the names of records.
#pragma once

#include <chrono>
#include <mutex>

namespace tus::hooks {

// Never the same twice, and never back, whatever the clock does. Any thread.
class RecordTimes {
 public:
  using Time = std::chrono::system_clock::time_point;

  // Later than what an earlier process has given, even if the clock has been set back since.
  explicit RecordTimes(Time earlier = Time()) : last_(earlier) {}

  Time next(Time now) {
    std::lock_guard lock(mutex_);
    last_ = now > last_ ? now : last_ + Time::duration(1);
    return last_;
  }

 private:
  std::mutex mutex_;
  Time last_;
};

}  // namespace tus::hooks
