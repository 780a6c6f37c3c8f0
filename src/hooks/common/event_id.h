// Names of events, by which receivers tell repetitions.
#pragma once

#include <string>

namespace tus::hooks {

// 32 hexadecimal digits, never the same again. Throws std::system_error when the kernel has no random bits.
std::string new_event_id();

}  // namespace tus::hooks
