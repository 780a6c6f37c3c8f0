// What the kernel says about this process.
#pragma once

#include <cstdint>

namespace tus::metrics {

struct ProcessFigures {
  double cpu_seconds = 0;
  double start_time = 0;  // seconds since 1970
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t most_descriptors = 0;  // 0: no limit
  std::uint64_t threads = 0;
};

// Reads /proc; what is not there is 0.
ProcessFigures look_at_process();

}  // namespace tus::metrics
