// How many connections fit into the descriptors of a process.
#pragma once

#include <cstdint>

namespace tus::app {

// Of this process; 0 when there is no limit, or none that means anything.
std::uint64_t descriptor_limit() noexcept;

// What -max-connections means: at most what leaves some descriptors for the files that uploads need for as long as their
// bytes come in, and for pipes, locks and logs. 0: no limit.
std::uint64_t connection_limit(std::uint64_t wanted, std::uint64_t descriptors) noexcept;

}  // namespace tus::app
