#include "app/spdlog_logger.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <cstddef>
#include <string>

namespace tus::app {

namespace {

constexpr std::size_t queue_lines = 8192;

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

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

class SpdlogLogger final : public Logger {
 public:
  explicit SpdlogLogger(LogLevel lowest)
      : lowest_(lowest),
        pool_(std::make_shared<spdlog::details::thread_pool>(queue_lines, 1)),
        logger_(std::make_shared<spdlog::async_logger>(
            "tusd", std::make_shared<spdlog::sinks::stderr_sink_mt>(), pool_,
            spdlog::async_overflow_policy::overrun_oldest)) {
    logger_->set_level(level_of(lowest));
    logger_->set_pattern("%Y/%m/%d %H:%M:%S.%f %v");
    logger_->flush_on(spdlog::level::err);
  }

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
    logger_->log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
  } catch (...) {
    // Out of memory: a lost line is better than a lost upload.
  }

 private:
  LogLevel lowest_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::async_logger> logger_;
};

}  // namespace

std::shared_ptr<Logger> make_stderr_logger(LogLevel lowest) {
  return std::make_shared<SpdlogLogger>(lowest);
}

}  // namespace tus::app
