// The text of a record in an outbox. Pure.
#pragma once

#include "hooks/common/transport.h"

#include <string>
#include <string_view>

namespace tus::hooks {

std::string record_text(const Envelope& envelope);

// Error: upload_damaged, when it is no such text, or only the beginning of one.
Result<Envelope> read_record(std::string_view text);

}  // namespace tus::hooks
