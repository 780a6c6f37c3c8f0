// The names of records in an outbox, from which everything is known that orders them.
#pragma once

#include "hooks/common/outbox.h"

#include <optional>
#include <string>
#include <string_view>

namespace tus::hooks {

// "<time>-<line>-<event><p or h>-<event id>", numbers in hexadecimal: promised, or happened.
// `entry.name` is not read.
std::string record_name(const OutboxEntry& entry, std::string_view event_id);

// Nothing when it is no such name.
std::optional<OutboxEntry> entry_named(std::string_view name);

// Whether its name says that it has happened, for whoever finds it.
bool is_marked(const OutboxEntry& entry);

// The same record, from now on known to have happened; and with another time.
OutboxEntry with_happened(OutboxEntry entry);
OutboxEntry with_time(OutboxEntry entry, std::chrono::system_clock::time_point time);

}  // namespace tus::hooks
