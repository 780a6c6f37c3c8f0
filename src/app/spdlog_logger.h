// Log lines as tusd writes them: key=value, on stderr, from a thread of their own.
#pragma once

#include <tus/logger.h>

#include <memory>

namespace tus::app {

// A bounded queue lies between the callers and the terminal; when it is full the oldest lines are lost
// rather than an upload slowed down. What is queued is written before the logger goes.
std::shared_ptr<Logger> make_stderr_logger(LogLevel lowest);

}  // namespace tus::app
