// The figures of one run, printed as one line of JSON.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace bench {

using Figures = std::vector<std::pair<std::string, double>>;
using Seconds = std::chrono::duration<double>;

// Sorts `latencies`. Adds <prefix>_p50_ms, _p99_ms and _max_ms; nothing when there are none.
void add_percentiles(Figures& figures, const std::string& prefix, std::vector<Seconds>& latencies);

void print_json(const std::string& mode, const Figures& figures);

}  // namespace bench
