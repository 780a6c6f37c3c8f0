// Errors as everything in the library reports them: one code, one HTTP status, one sentence.
#pragma once

#include <tus/export.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

TUS_NAMESPACE_BEGIN

// The names follow the ERR_ codes that clients and operators of Go's tusd know; `describe` gives code,
// status and text. Codes that tusd does not have are marked "ours".
enum class ErrorCode : std::uint8_t {
  // the request
  unsupported_version,
  max_size_exceeded,
  invalid_content_type,
  invalid_upload_length,
  invalid_offset,
  invalid_upload_defer_length,
  ambiguous_upload_length,
  invalid_metadata,  // ours
  invalid_request,   // ours: framing, repeated singleton fields
  method_not_allowed,
  not_implemented,
  origin_not_allowed,
  precondition_failed,    // ours: If-Match and the like, of a download
  range_not_satisfiable,  // ours: a download that begins behind the end
  // the upload
  upload_not_found,
  incomplete_upload,
  upload_locked,
  lock_timeout,
  mismatched_offset,
  size_exceeded,
  upload_finishing,      // ours: offset == length, the finish is still running
  upload_finish_failed,  // ours: the finish was given up after its last attempt
  upload_damaged,        // ours: its state cannot be read
  upload_exists,         // ours, internal: an id is taken
  upload_gone,           // ours: expired or removed behind our back
  modify_final,
  invalid_concat,
  concatenation_unsupported,
  checksum_unsupported,            // ours: never ignore a checksum that a client relies on
  checksum_algorithm_unsupported,  // ours
  invalid_checksum,                // ours: malformed, or announced and not sent
  checksum_mismatch,               // ours: the bytes are not those that the client has sent
  upload_not_finished,
  part_gone,  // ours: a part of a final upload went before it was joined
  upload_rejected,
  upload_stopped,
  termination_rejected,
  access_rejected,  // ours: a hook does not allow it
  upload_interrupted,
  // the connection
  unexpected_eof,
  read_timeout,
  connection_reset,
  server_shutdown,
  upload_too_slow,       // ours: slower than the server waits for
  too_many_connections,  // ours: from one address
  too_many_uploads,      // ours: from one address, at once
  // the store and the machine
  no_space,           // ours: disk or quota full
  store_unavailable,  // ours: I/O error, read-only, backend down; try again
  lease_lost,         // ours: another server took the upload over
  overloaded,         // ours
  internal,
};

struct ErrorDescription {
  std::string_view code;     // "ERR_UPLOAD_NOT_FOUND"
  int status;                // HTTP status
  std::string_view message;  // one sentence for the client
};

TUS_EXPORT const ErrorDescription& describe(ErrorCode code) noexcept;

// Whether the same request may succeed later without the client changing anything.
TUS_EXPORT bool is_retryable(ErrorCode code) noexcept;

class Error {
 public:
  Error(ErrorCode code) noexcept : code_(code) {}  // NOLINT(google-explicit-constructor)
  // `detail` is for the log only and never reaches a client: it may name paths and system errors.
  Error(ErrorCode code, std::string detail) : code_(code), detail_(std::move(detail)) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& detail() const noexcept { return detail_; }
  friend bool operator==(const Error& a, ErrorCode b) noexcept { return a.code_ == b; }

 private:
  ErrorCode code_;
  std::string detail_;
};

// What a caller must decide on comes back as a value; what nobody expects is thrown.
template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(ErrorCode code) { return std::unexpected<Error>(Error(code)); }
inline std::unexpected<Error> fail(ErrorCode code, std::string detail) {
  return std::unexpected<Error>(Error(code, std::move(detail)));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

TUS_NAMESPACE_END
