// The form of a line in the log. Clients choose part of what is in it, so neither form lets a value end its line, end
// its field, or reach a terminal as anything but printable ASCII.
#pragma once

#include "app/config.h"

#include <tus/logger.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>

namespace tus::app {

// "level=INFO event=UploadCreated id=..." or `"level":"INFO","msg":"UploadCreated","id":"..."}`: what follows the
// time. Fields with an empty value are left out.
void append_log_fields(std::string& out, LogFormat format, LogLevel level, std::string_view event,
                       std::span<const LogField> fields);

// Begins a line: "2006/01/02 15:04:05.000000 " as Go's log package writes it, or
// `{"time":"2006-01-02T15:04:05.000000+00:00",`. Local time. Remembers the last second, so it is for one thread
// at a time.
class LogTime {
 public:
  explicit LogTime(LogFormat format) : format_(format) {}

  void append(std::string& out, std::chrono::system_clock::time_point now);

 private:
  const LogFormat format_;
  std::chrono::sys_seconds second_{std::chrono::seconds(-1)};
  std::string date_;
  std::string zone_;
};

}  // namespace tus::app
