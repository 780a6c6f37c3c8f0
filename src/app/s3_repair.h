// `tusd -s3-repair`: one walk through the bucket instead of serving.
#pragma once

#include "app/config.h"
#include "app/stop_signals.h"

namespace tus::app {

// Says on stdout what became of each upload that was not as it should be, and how many there were. The code to
// exit with: 0 when Go's tusd can go on with all of them, else 1. A signal ends it after the uploads that it is at.
int repair_bucket(const Config& config, StopSignals& signals);

}  // namespace tus::app
