// The log on stderr: lines as tusd writes them, from a thread of their own.
#pragma once

#include "app/config.h"

#include <tus/logger.h>

#include <memory>

namespace tus::app {

// A logger whose threshold an operator can move while it runs. Any thread.
class AdjustableLogger : public Logger {
 public:
  virtual void set_lowest(LogLevel lowest) noexcept = 0;
};

struct LoggerOptions {
  LogLevel lowest = LogLevel::info;
  LogFormat format = LogFormat::text;
  int fd = 2;  // stays open for longer than the logger
};

// Lines are collected and written together a few times a second, so that neither a slow terminal nor the waking of a
// thread slows an upload. A reader that does not read holds nobody up: when more than a few MiB wait, lines are dropped
// and counted, and the count is told when there is room again. At the end it has half a second for what is collected.
std::shared_ptr<AdjustableLogger> make_stderr_logger(LoggerOptions options);

}  // namespace tus::app
