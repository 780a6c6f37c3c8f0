// From what the operator says, in all places, to a configuration.
#pragma once

#include "app/config.h"
#include "app/flag_table.h"

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tus::app {

// Flags before environment before file before defaults. `environment` are entries "NAME=value". The error is
// one sentence that names what is wrong and where it was said.
std::expected<Config, std::string> configure(std::span<const std::string_view> args,
                                             std::span<const std::string_view> environment);

// What -check-config looks at beyond that: whether the directories are there or can be made. A sentence when
// something would keep the server from starting. Changes nothing.
std::optional<std::string> find_obstacle(const Config& config);

}  // namespace tus::app
