// What another process has used so far.
#pragma once

#include <cstdint>
#include <string_view>
#include <sys/types.h>

namespace bench {

// CPU seconds of all its threads, living and dead, user and system. From the process CPU clock and not
// from /proc/PID/stat: the same figure, in nanoseconds instead of ticks of 10 ms.
double cpu_seconds(pid_t pid);

// A field of /proc/PID/status in KiB, such as "VmRSS".
std::uint64_t status_kib(pid_t pid, std::string_view field);

// As many descriptors as the hard limit allows.
void raise_descriptor_limit();

}  // namespace bench
