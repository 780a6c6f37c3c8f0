#include "app/stderr_logger.h"

#include "app/log_line.h"
#include "app/log_sink.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace tus::app {

namespace {

using std::chrono::steady_clock;

class StderrLogger final : public AdjustableLogger {
 public:
  explicit StderrLogger(LoggerOptions options)
      : lowest_(options.lowest),
        format_(options.format),
        sink_(options.fd),
        time_(options.format),
        writer_([this] { write_lines(); }) {}

  ~StderrLogger() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    writer_.join();
  }
  StderrLogger(const StderrLogger&) = delete;
  StderrLogger& operator=(const StderrLogger&) = delete;

  bool enabled(LogLevel level) const noexcept override {
    return level >= lowest_.load(std::memory_order_relaxed);
  }

  void set_lowest(LogLevel lowest) noexcept override { lowest_ = lowest; }

  void log(LogLevel level, std::string_view event,
           std::initializer_list<LogField> fields) noexcept override try {
    if (!enabled(level)) return;
    std::string text;
    text.reserve(256);
    append_log_fields(text, format_, level, event, {fields.begin(), fields.size()});
    text += '\n';
    if (add(text)) wake_.notify_one();
  } catch (...) {
    // Out of memory: a lost line is better than a lost upload.
    lost_.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  // Whether the writer should look at once.
  bool add(std::string_view text) {
    std::lock_guard lock(mutex_);
    if (waiting_.size() > most_waiting) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    const auto before = waiting_.size();
    time_.append(waiting_, std::chrono::system_clock::now());
    waiting_ += text;
    return before == 0 || (before < write_at_once && waiting_.size() >= write_at_once);
  }

  void write_lines() {
    std::string lines;
    for (bool last = false; !last;) {
      {
        std::unique_lock lock(mutex_);
        // An idle server sleeps; after the first line there is a moment for more of them to come.
        wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        wake_.wait_for(lock, longest_wait,
                       [this] { return stopping_ || waiting_.size() >= write_at_once; });
        last = stopping_;
        std::swap(lines, waiting_);
        append_lost(lines);
      }
      // What the reader did not take at the end is lost with the process.
      if (!write_all(lines)) break;
      lines.clear();
    }
  }

  // Behind what was kept before them. The mutex is held.
  void append_lost(std::string& lines) {
    const auto lost = lost_.exchange(0, std::memory_order_relaxed);
    if (lost == 0) return;
    time_.append(lines, std::chrono::system_clock::now());
    const auto count = std::to_string(lost);
    const std::array<LogField, 1> fields{{{"count", count, LogKind::number}}};
    append_log_fields(lines, format_, LogLevel::warn, "LogLinesLost", fields);
    lines += '\n';
  }

  // False when the process ends and the reader still does not read.
  bool write_all(std::string_view text) {
    steady_clock::time_point give_up = steady_clock::time_point::max();
    while (!text.empty()) {
      const auto taken = sink_.write(text);
      if (sink_.hopeless()) {
        lost_.fetch_add(static_cast<std::uint64_t>(std::ranges::count(text, '\n')),
                        std::memory_order_relaxed);
        return true;
      }
      text.remove_prefix(taken);
      if (taken > 0) continue;
      if (is_stopping()) {
        const auto now = steady_clock::now();
        if (give_up == steady_clock::time_point::max()) give_up = now + last_words;
        if (now >= give_up) return false;
      }
      sink_.wait(longest_wait);
    }
    return true;
  }

  bool is_stopping() {
    std::lock_guard lock(mutex_);
    return stopping_;
  }

  static constexpr std::size_t write_at_once = 64 << 10;
  static constexpr std::size_t most_waiting = 4 << 20;
  static constexpr std::chrono::milliseconds longest_wait{100};
  static constexpr std::chrono::milliseconds last_words{500};

  std::atomic<LogLevel> lowest_;
  const LogFormat format_;
  LogSink sink_;      // only used by the writer
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  LogTime time_;
  std::string waiting_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> lost_ = 0;
  std::thread writer_;  // last: it uses all of the above
};

}  // namespace

std::shared_ptr<AdjustableLogger> make_stderr_logger(LoggerOptions options) {
  return std::make_shared<StderrLogger>(options);
}

}  // namespace tus::app
