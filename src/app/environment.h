// Options as environment variables: TUSD_UPLOAD_DIR is -upload-dir.
#pragma once

#include "app/settings.h"

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tus::app {

std::string variable_name(std::string_view option);

struct EnvironmentSettings {
  Settings settings;  // an option before its aliases does not matter: its own name comes last
  std::vector<std::string> warnings;
};

// `entries` are "NAME=value". Variables that are empty count as not set. One that begins with TUSD_ and
// belongs to no option is a warning: it may be somebody else's.
std::expected<EnvironmentSettings, std::string> read_environment(
    std::span<const Flag> table, std::span<const std::string_view> entries);

}  // namespace tus::app
