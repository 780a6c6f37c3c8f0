// The command line.
#pragma once

#include "app/settings.h"

#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace tus::app {

// `args` without the program's name. Accepts Go's forms (-f v, -f=v, --f=v, -bool, -bool=false, and -- as the
// end of the flags) and "-bool false". The error is one sentence that names the flag and says why.
std::expected<Settings, std::string> read_flags(std::span<const Flag> table,
                                                std::span<const std::string_view> args);

}  // namespace tus::app
