// Why a request's body gives no more bytes.
#pragma once

#include <tus/error.h>

#include <cstdint>
#include <optional>

TUS_NAMESPACE_BEGIN

// Why a body gives bytes, or gives no more. All but `open` are final, and a source that has ended stays
// ended: what it gave before is kept by the store whatever the reason (protocol: "store as much as
// possible").
enum class BodyState : std::uint8_t {
  open,         // more may come
  complete,     // the request's body is over
  limit,        // the body went on past the allowed length (see core/limited_source.h)
  interrupted,  // a newer request took the upload over
  stopping,     // the server is shutting down
  timed_out,    // no byte for the network timeout
  peer_closed,  // the client closed the connection in the middle
  peer_reset,   // the connection broke
  malformed,    // the chunked framing is broken
  too_slow,     // fewer bytes than the lowest rate that the server accepts
};

// What a client is told about it; nothing for open and complete.
TUS_EXPORT std::optional<ErrorCode> error_of(BodyState state) noexcept;

TUS_NAMESPACE_END
