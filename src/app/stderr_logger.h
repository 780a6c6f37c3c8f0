// Log lines as tusd writes them: key=value, on stderr, from a thread of their own.
#pragma once

#include <tus/logger.h>

#include <memory>

namespace tus::app {

// Lines are collected and written together a few times a second, so that neither a
// slow terminal nor the waking of a thread slows an upload. When more than a few MiB wait, lines are
// dropped and counted. What is collected is written before the logger goes.
std::shared_ptr<Logger> make_stderr_logger(LogLevel lowest);

}  // namespace tus::app
