// What loadgen is asked to do.
#pragma once

#include "bench/client.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace bench {

enum class Mode : std::uint8_t { patch, post, create, head, stall, takeover };

struct Options {
  Mode mode = Mode::patch;
  Target target;
  pid_t pid = 0;  // whose CPU and memory is measured
  unsigned connections = 1;
  std::uint64_t operations = 1;
  std::uint64_t size = 1 << 20;
  std::uint64_t chunk = 0;  // bytes per PATCH; 0: the whole upload in one
  std::chrono::milliseconds pause{10};
};

extern const char* const usage;

// Throws std::invalid_argument with a sentence.
Options parse_options(int argc, char** argv);

}  // namespace bench
