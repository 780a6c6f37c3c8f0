// What hooks are told, as text.
#pragma once

#include "hooks/common/transport.h"

#include <tus/hooks.h>

#include <map>
#include <string>
#include <string_view>

namespace tus::hooks {

// The message of tusd's version 2, with an `EventId` beside its `Type`.
std::string to_v2(const HookMessage& message, std::string_view event_id);

// The flat one of its version 0: the upload alone.
std::string to_legacy(const HookMessage& message);

// The same message with the place that a store has chosen, where it says none. Of both formats.
std::string with_storage(std::string body, const std::map<std::string, std::string>& storage);

// Its event id is a new one, or the one of what can happen to this upload only once.
Envelope make_envelope(const HookMessage& message, Format format);

// As Go spells names of header fields: "x-request-id" is "X-Request-Id".
std::string canonical_field_name(std::string_view name);

}  // namespace tus::hooks
