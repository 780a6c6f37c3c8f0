// Values of the configuration that change while the server runs.
#pragma once

#include "app/config.h"
#include "app/wiring.h"

#include <expected>
#include <functional>
#include <string>

namespace tus::app {

// Reads the configuration again: the same arguments, and whatever files and variables they name. The error
// is a sentence.
using ReadConfig = std::function<std::expected<Config, std::string>()>;

// Takes over what may change: how much is logged, limits, time-outs. The rest of `current` stays, and all of
// it when the new configuration has an error, which is logged.
void reload_config(Config& current, Server& server, const ReadConfig& read);

}  // namespace tus::app
