// The command line: one table from which parsing and -help are made.
#pragma once

#include "app/config.h"

#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace tus::app {

// `args` without the program's name. Accepts Go's forms (-f v, -f=v, --f=v, -bool, -bool=false) and
// "-bool false". The error is one sentence that names the flag and says why.
std::expected<Config, std::string> parse_flags(std::span<const std::string_view> args);

// The text of -help.
std::string flags_help();

}  // namespace tus::app
