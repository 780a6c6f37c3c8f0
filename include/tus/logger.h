// Where log lines go. All calls may come from any thread and must not block on a terminal or a disk.
#pragma once

#include <tus/export.h>

#include <cstdint>
#include <initializer_list>
#include <string_view>

TUS_NAMESPACE_BEGIN

enum class LogLevel : std::uint8_t { debug, info, warn, error };

enum class LogKind : std::uint8_t { text, number };  // for formats that tell them apart

struct LogField {
  std::string_view key;
  std::string_view value;
  LogKind kind = LogKind::text;
};

class TUS_EXPORT Logger {
 public:
  virtual ~Logger() = default;
  virtual bool enabled(LogLevel level) const noexcept = 0;
  // `event` is a fixed CamelCase word ("UploadCreated"). Values are escaped by the logger; views need to
  // stay valid only during the call.
  virtual void log(LogLevel level, std::string_view event,
                   std::initializer_list<LogField> fields) noexcept = 0;
};

class TUS_EXPORT NoLogger final : public Logger {
 public:
  bool enabled(LogLevel) const noexcept override { return false; }
  void log(LogLevel, std::string_view, std::initializer_list<LogField>) noexcept override {}
};

TUS_NAMESPACE_END
