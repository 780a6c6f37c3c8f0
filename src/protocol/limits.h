// The one check of lengths and limits, for every way bytes can come in.
#pragma once

#include <tus/error.h>

#include <cstdint>
#include <optional>

namespace tus::protocol {

struct LengthQuestion {
  std::uint64_t offset = 0;             // where the new bytes go
  std::optional<std::uint64_t> length;  // of the upload, when already known
  std::optional<std::uint64_t>
      declared_length;  // said by this request (creation, or deferred until now)
  std::optional<std::uint64_t> content_length;  // of this request's body, when framing tells it
  std::uint64_t max_size = 0;                   // 0: no limit
};

struct LengthAnswer {
  std::optional<std::uint64_t> length;  // of the upload, from now on
  std::optional<std::uint64_t>
      allowance;  // bytes that the body may bring; nothing: no bound at all
  ErrorCode excess = ErrorCode::size_exceeded;  // what it is called when the body brings more
};

// Errors: max_size_exceeded, size_exceeded, invalid_upload_length (declared twice with another value, or
// below the offset).
Result<LengthAnswer> check_length(const LengthQuestion& question);

}  // namespace tus::protocol
