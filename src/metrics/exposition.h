// The names of the metrics, and what is said about each.
#pragma once

#include "metrics/counters.h"
#include "metrics/prometheus_metrics.h"

#include <string>

namespace tus::metrics {

std::string write_metrics(const Counters& counters, const Samples& samples);

}  // namespace tus::metrics
