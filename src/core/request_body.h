// What the service asks of a request's body, and says of it.
#pragma once

#include "protocol/command.h"

#include <tus/body_source.h>
#include <tus/store.h>

#include <cstddef>
#include <optional>
#include <span>

namespace tus::core {

// The whole body, when all of it has arrived with the head: then one store call makes the upload.
std::optional<std::span<const std::byte>> whole_body(BodySource& body);
// Takes bytes that were looked at in the buffer.
void take_buffered(BodySource& body, std::size_t count);
// Reads a body that may bring nothing; the state that it ends with.
Awaitable<BodyState> expect_nothing(BodySource& body);

// `excess`: what a body that brought too much is called.
std::optional<Error> body_error(BodyState state, ErrorCode excess);

// With what is true of the upload.
Outcome refuse(ErrorCode code, const Upload& upload);

}  // namespace tus::core
