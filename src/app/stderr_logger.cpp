#include "app/stderr_logger.h"

#include <spdlog/pattern_formatter.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>
#include <unistd.h>

namespace tus::app {

namespace {

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "DEBUG";
    case LogLevel::info:
      return "INFO";
    case LogLevel::warn:
      return "WARN";
    case LogLevel::error:
      break;
  }
  return "ERROR";
}

// Quoted whenever a reader could be misled: log lines carry text that clients choose.
void append_value(std::string& line, std::string_view value) {
  bool plain = !value.empty();
  for (const char c : value)
    plain = plain && c > ' ' && c != '"' && c != '=' && c != '\\' && c < 127;
  if (plain) {
    line += value;
    return;
  }
  constexpr char digits[] = "0123456789abcdef";
  line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte < ' ' || byte == 127) {
      line += "\\x";
      line += digits[byte >> 4];
      line += digits[byte & 15];
    } else {
      line += c;
    }
  }
  line += '"';
}

class StderrLogger final : public Logger {
 public:
  explicit StderrLogger(LogLevel lowest)
      : lowest_(lowest), format_("%Y/%m/%d %H:%M:%S.%f %v"), writer_([this] { write_lines(); }) {}

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

  bool enabled(LogLevel level) const noexcept override { return level >= lowest_; }

  void log(LogLevel level, std::string_view event,
           std::initializer_list<LogField> fields) noexcept override try {
    if (!enabled(level)) return;
    std::string line("level=");
    line.reserve(160);
    line += name_of(level);
    line += " event=";
    line += event;
    for (const auto& field : fields) {
      if (field.value.empty()) continue;
      line += ' ';
      line += field.key;
      line += '=';
      append_value(line, field.value);
    }
    if (add(line)) wake_.notify_one();
  } catch (...) {
    // Out of memory: a lost line is better than a lost upload.
    lost_.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  // Whether the writer should look at once.
  bool add(const std::string& line) {
    const spdlog::details::log_msg message(spdlog::string_view_t(), spdlog::level::info,
                                           spdlog::string_view_t(line.data(), line.size()));
    std::lock_guard lock(mutex_);
    if (waiting_.size() > most_waiting) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    const auto before = waiting_.size();
    format_.format(message, waiting_);
    return before == 0 || (before < write_at_once && waiting_.size() >= write_at_once);
  }

  void write_lines() {
    spdlog::memory_buf_t lines;
    for (bool last = false; !last;) {
      {
        std::unique_lock lock(mutex_);
        // An idle server sleeps; after the first line there is a moment for more of them to come.
        wake_.wait(lock, [this] { return stopping_ || waiting_.size() > 0; });
        wake_.wait_for(lock, longest_wait,
                       [this] { return stopping_ || waiting_.size() >= write_at_once; });
        last = stopping_;
        std::swap(lines, waiting_);
      }
      write_all({lines.data(), lines.size()});
      lines.clear();
      const auto lost = lost_.exchange(0, std::memory_order_relaxed);
      if (lost > 0) {
        write_all("level=WARN event=LogLinesLost count=" + std::to_string(lost) + "\n");
      }
    }
  }

  static void write_all(std::string_view text) {
    while (!text.empty()) {
      const auto written = ::write(STDERR_FILENO, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // nobody reads: there is no better place to say so
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  static constexpr std::size_t write_at_once = 64 << 10;
  static constexpr std::size_t most_waiting = 4 << 20;
  static constexpr std::chrono::milliseconds longest_wait{100};

  const LogLevel lowest_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  spdlog::pattern_formatter format_;
  spdlog::memory_buf_t waiting_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> lost_ = 0;
  std::thread writer_;  // last: it uses all of the above
};

}  // namespace

std::shared_ptr<Logger> make_stderr_logger(LogLevel lowest) {
  return std::make_shared<StderrLogger>(lowest);
}

}  // namespace tus::app
