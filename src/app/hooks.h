// Makes hooks of what an operator says about them.
#pragma once

#include "app/config.h"
#include "app/wiring.h"
#include "hooks/common/engine.h"

#include <expected>
#include <memory>
#include <string>

namespace tus::app {

// Nothing is called before it is given to a handler. The error is one sentence for the operator.
std::expected<std::shared_ptr<hooks::Engine>, std::string> make_hooks(
    const Config& config, const Server& server, std::shared_ptr<Clock> clock,
    std::shared_ptr<MetricsSink> metrics);

}  // namespace tus::app
