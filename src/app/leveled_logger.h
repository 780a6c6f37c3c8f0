// A logger whose lowest level can be changed while it is used.
#pragma once

#include <tus/logger.h>

#include <atomic>
#include <memory>
#include <utility>

namespace tus::app {

class LeveledLogger final : public Logger {
 public:
  // `behind` takes every level.
  LeveledLogger(std::shared_ptr<Logger> behind, LogLevel lowest)
      : behind_(std::move(behind)), lowest_(lowest) {}

  void set_lowest(LogLevel lowest) noexcept { lowest_.store(lowest, std::memory_order_relaxed); }

  bool enabled(LogLevel level) const noexcept override {
    return level >= lowest_.load(std::memory_order_relaxed);
  }
  void log(LogLevel level, std::string_view event,
           std::initializer_list<LogField> fields) noexcept override {
    if (enabled(level)) behind_->log(level, event, fields);
  }

 private:
  std::shared_ptr<Logger> behind_;
  std::atomic<LogLevel> lowest_;
};

}  // namespace tus::app
