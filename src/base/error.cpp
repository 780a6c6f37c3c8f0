#include <tus/error.h>

#include <array>
#include <cstddef>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace {

enum class Retry : std::uint8_t { no, yes };

struct Row {
  ErrorCode code;
  ErrorDescription description;
  Retry retry;
};

// One row a code, in the order of the enum. Codes and sentences are those of Go's tusd: programs
// match on them. Where a status differs from tusd's, docs/adr/0005-retryable-statuses.md says why.
constexpr auto rows = std::to_array<Row>({
    {ErrorCode::unsupported_version,
     {"ERR_UNSUPPORTED_VERSION", 412, "missing, invalid or unsupported Tus-Resumable header"},
     Retry::no},
    {ErrorCode::max_size_exceeded,
     {"ERR_MAX_SIZE_EXCEEDED", 413, "maximum size exceeded"},
     Retry::no},
    {ErrorCode::invalid_content_type,
     {"ERR_INVALID_CONTENT_TYPE", 415, "missing or invalid Content-Type header"},
     Retry::no},
    {ErrorCode::invalid_upload_length,
     {"ERR_INVALID_UPLOAD_LENGTH", 400, "missing or invalid Upload-Length header"},
     Retry::no},
    {ErrorCode::invalid_offset,
     {"ERR_INVALID_OFFSET", 400, "missing or invalid Upload-Offset header"},
     Retry::no},
    {ErrorCode::invalid_upload_defer_length,
     {"ERR_INVALID_UPLOAD_LENGTH_DEFER", 400, "invalid Upload-Defer-Length header"},
     Retry::no},
    {ErrorCode::ambiguous_upload_length,
     {"ERR_AMBIGUOUS_UPLOAD_LENGTH", 400, "provided both Upload-Length and Upload-Defer-Length"},
     Retry::no},
    {ErrorCode::invalid_metadata,
     {"ERR_INVALID_METADATA", 400, "invalid Upload-Metadata header"},
     Retry::no},
    {ErrorCode::invalid_request, {"ERR_INVALID_REQUEST", 400, "invalid request"}, Retry::no},
    {ErrorCode::method_not_allowed, {"", 405, "method not allowed"}, Retry::no},
    {ErrorCode::not_implemented,
     {"ERR_NOT_IMPLEMENTED", 501, "feature not implemented"},
     Retry::no},
    {ErrorCode::origin_not_allowed,
     {"ERR_ORIGIN_NOT_ALLOWED", 403, "request origin is not allowed"},
     Retry::no},
    {ErrorCode::precondition_failed,
     {"ERR_PRECONDITION_FAILED", 412, "a condition of the request does not hold"},
     Retry::no},
    {ErrorCode::range_not_satisfiable,
     {"ERR_RANGE_NOT_SATISFIABLE", 416, "the requested range is not in the upload"},
     Retry::no},
    {ErrorCode::upload_not_found, {"ERR_UPLOAD_NOT_FOUND", 404, "upload not found"}, Retry::no},
    {ErrorCode::incomplete_upload,
     {"ERR_INCOMPLETE_UPLOAD", 400, "cannot stream non-finished upload"},
     Retry::no},
    {ErrorCode::upload_locked, {"ERR_UPLOAD_LOCKED", 423, "file currently locked"}, Retry::yes},
    {ErrorCode::lock_timeout,
     {"ERR_LOCK_TIMEOUT", 500, "failed to acquire lock before timeout"},
     Retry::yes},
    {ErrorCode::mismatched_offset, {"ERR_MISMATCHED_OFFSET", 409, "mismatched offset"}, Retry::no},
    {ErrorCode::size_exceeded,
     {"ERR_UPLOAD_SIZE_EXCEEDED", 413, "upload's size exceeded"},
     Retry::no},
    {ErrorCode::upload_finishing,
     {"ERR_UPLOAD_FINISHING", 503, "upload is being finished, try again"},
     Retry::yes},
    {ErrorCode::upload_finish_failed,
     {"ERR_UPLOAD_FINISH_FAILED", 500, "upload could not be finished"},
     Retry::no},
    {ErrorCode::upload_damaged,
     {"ERR_UPLOAD_DAMAGED", 500, "state of the upload cannot be read"},
     Retry::no},
    {ErrorCode::upload_exists, {"ERR_UPLOAD_EXISTS", 500, "upload id is taken"}, Retry::no},
    {ErrorCode::upload_gone, {"ERR_UPLOAD_GONE", 410, "upload is gone"}, Retry::no},
    {ErrorCode::modify_final,
     {"ERR_MODIFY_FINAL", 403, "modifying a final upload is not allowed"},
     Retry::no},
    {ErrorCode::invalid_concat,
     {"ERR_INVALID_CONCAT", 400, "invalid Upload-Concat header"},
     Retry::no},
    {ErrorCode::concatenation_unsupported,
     {"ERR_CONCATENATION_UNSUPPORTED", 400, "Upload-Concat header is not supported by server"},
     Retry::no},
    {ErrorCode::checksum_unsupported,
     {"ERR_CHECKSUM_UNSUPPORTED", 400, "Upload-Checksum header is not supported by server"},
     Retry::no},
    {ErrorCode::checksum_algorithm_unsupported,
     {"ERR_CHECKSUM_ALGORITHM_UNSUPPORTED", 400, "unsupported checksum algorithm"},
     Retry::no},
    {ErrorCode::invalid_checksum,
     {"ERR_INVALID_CHECKSUM", 400, "missing or invalid Upload-Checksum"},
     Retry::no},
    {ErrorCode::checksum_mismatch,
     {"ERR_CHECKSUM_MISMATCH", 460, "checksum does not match the received bytes"},
     Retry::no},
    {ErrorCode::upload_not_finished,
     {"ERR_UPLOAD_NOT_FINISHED", 400, "one of the partial uploads is not finished"},
     Retry::no},
    {ErrorCode::part_gone,
     {"ERR_PARTIAL_UPLOAD_GONE", 410, "one of the partial uploads is gone"},
     Retry::no},
    {ErrorCode::upload_rejected,
     {"ERR_UPLOAD_REJECTED", 400, "upload creation has been rejected by server"},
     Retry::no},
    {ErrorCode::upload_stopped,
     {"ERR_UPLOAD_STOPPED", 400, "upload has been stopped by server"},
     Retry::no},
    {ErrorCode::termination_rejected,
     {"ERR_UPLOAD_TERMINATION_REJECTED", 400, "upload termination has been rejected by server"},
     Retry::no},
    {ErrorCode::access_rejected,
     {"ERR_ACCESS_REJECTED", 403, "access to the upload has been rejected by server"},
     Retry::no},
    {ErrorCode::upload_interrupted,
     {"ERR_UPLOAD_INTERRUPTED", 423,
      "upload has been interrupted by another request for this upload resource"},
     Retry::yes},
    {ErrorCode::unexpected_eof,
     {"ERR_UNEXPECTED_EOF", 500, "server expected to receive more bytes"},
     Retry::yes},
    {ErrorCode::read_timeout,
     {"ERR_READ_TIMEOUT", 500, "timeout while reading request body"},
     Retry::yes},
    {ErrorCode::connection_reset,
     {"ERR_CONNECTION_RESET", 500, "TCP connection reset by peer"},
     Retry::yes},
    {ErrorCode::server_shutdown,
     {"ERR_SERVER_SHUTDOWN", 503,
      "request has been interrupted because the server is shutting down"},
     Retry::yes},
    {ErrorCode::upload_too_slow,
     {"ERR_UPLOAD_TOO_SLOW", 503, "upload was slower than this server accepts, go on later"},
     Retry::yes},
    {ErrorCode::too_many_connections,
     {"ERR_TOO_MANY_CONNECTIONS", 503, "too many connections from this address, try again later"},
     Retry::yes},
    {ErrorCode::too_many_uploads,
     {"ERR_TOO_MANY_UPLOADS", 503, "too many uploads at once from this address, try again later"},
     Retry::yes},
    {ErrorCode::no_space,
     {"ERR_INSUFFICIENT_STORAGE", 507, "not enough space to store the upload"},
     Retry::yes},
    {ErrorCode::store_unavailable,
     {"ERR_STORE_UNAVAILABLE", 503, "storage is not available, try again"},
     Retry::yes},
    {ErrorCode::lease_lost,
     {"ERR_LEASE_LOST", 503, "upload has been taken over by another server, try again"},
     Retry::yes},
    {ErrorCode::overloaded, {"ERR_OVERLOADED", 503, "server is overloaded, try again"}, Retry::yes},
    {ErrorCode::internal, {"ERR_INTERNAL_SERVER_ERROR", 500, "internal server error"}, Retry::yes},
});

consteval bool is_in_order() {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (std::to_underlying(rows[i].code) != i) return false;
  }
  return rows.back().code == ErrorCode::internal;
}
static_assert(is_in_order(), "describe() finds a code by its position");

}  // namespace

const ErrorDescription& describe(ErrorCode code) noexcept {
  return rows[std::to_underlying(code)].description;
}

bool is_retryable(ErrorCode code) noexcept {
  return rows[std::to_underlying(code)].retry == Retry::yes;
}

TUS_NAMESPACE_END
