#include "bench/report.h"

#include <algorithm>
#include <cstdio>

namespace bench {

void add_percentiles(Figures& figures, const std::string& prefix, std::vector<Seconds>& latencies) {
  if (latencies.empty()) return;
  std::ranges::sort(latencies);
  // Nearest rank: the smallest latency that at least this part of all does not exceed.
  const auto at = [&](std::size_t percent) {
    const auto rank = (latencies.size() * percent + 99) / 100;
    return latencies[std::max<std::size_t>(rank, 1) - 1].count() * 1e3;
  };
  figures.emplace_back(prefix + "_p50_ms", at(50));
  figures.emplace_back(prefix + "_p99_ms", at(99));
  figures.emplace_back(prefix + "_max_ms", at(100));
}

void print_json(const std::string& mode, const Figures& figures) {
  std::printf("{\"mode\": \"%s\"", mode.c_str());
  for (const auto& [name, value] : figures) std::printf(", \"%s\": %.9g", name.c_str(), value);
  std::printf("}\n");
}

}  // namespace bench
