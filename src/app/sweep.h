// `tusd -sweep`: one pass over the store instead of serving.
#pragma once

#include "app/config.h"
#include "app/stop_signals.h"

namespace tus::app {

// Removes what has expired, and says on stdout what that was. The code to exit with: 0, or 1 when the store or
// the locks do not work. A signal ends it early.
int sweep_once(const Config& config, StopSignals& signals);

}  // namespace tus::app
