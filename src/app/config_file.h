// Options in a TOML file.
#pragma once

#include "app/settings.h"

#include <expected>
#include <span>
#include <string>

namespace tus::app {

// Keys are the names of flags, at the top or in the table of their group. Whatever is wrong is named with
// file and line.
std::expected<Settings, std::string> read_config_file(std::span<const Flag> table,
                                                      const std::string& path);

// The same over a text that is already here; `path` is for messages.
std::expected<Settings, std::string> parse_config(std::span<const Flag> table,
                                                  std::string_view text, const std::string& path);

}  // namespace tus::app
