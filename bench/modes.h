// The kinds of load. Each returns its figures, "errors" among them.
#pragma once

#include "bench/options.h"
#include "bench/report.h"

namespace bench {

Figures run_throughput(const Options& options);  // patch, post, create, head
Figures run_stall(const Options& options);
Figures run_takeover(const Options& options);

}  // namespace bench
