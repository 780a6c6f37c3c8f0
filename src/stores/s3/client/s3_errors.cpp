#include "stores/s3/client/s3_errors.h"

#include <algorithm>
#include <array>

namespace tus::s3 {

namespace {

struct Row {
  std::string_view code;
  Verdict verdict;
};

// Codes that say more than their status, or are told with different ones.
constexpr auto rows = std::to_array<Row>({
    {"NoSuchKey", {Trouble::missing, Again::never}},
    {"NoSuchUpload", {Trouble::missing, Again::never}},
    {"NoSuchVersion", {Trouble::missing, Again::never}},
    {"NotFound", {Trouble::missing, Again::never}},
    {"NoSuchBucket", {Trouble::refused, Again::never}},
    {"PreconditionFailed", {Trouble::changed, Again::never}},
    {"InvalidRange", {Trouble::changed, Again::never}},
    {"InvalidPart", {Trouble::bad_parts, Again::never}},
    {"InvalidPartOrder", {Trouble::bad_parts, Again::never}},
    {"EntityTooSmall", {Trouble::bad_parts, Again::never}},
    // Ceph's, MinIO's.
    {"QuotaExceeded", {Trouble::full, Again::never}},
    {"XMinioStorageFull", {Trouble::full, Again::never}},
    {"XMinioAdminBucketQuotaExceeded", {Trouble::full, Again::never}},
    {"NotImplemented", {Trouble::unsupported, Again::never}},
    {"MethodNotAllowed", {Trouble::unsupported, Again::never}},
    {"RequestTimeTooSkewed", {Trouble::refused, Again::with_its_clock}},
    {"ExpiredToken", {Trouble::refused, Again::with_other_keys}},
    {"ExpiredTokenException", {Trouble::refused, Again::with_other_keys}},
    {"InvalidToken", {Trouble::refused, Again::with_other_keys}},
    {"TokenRefreshRequired", {Trouble::refused, Again::with_other_keys}},
    {"SlowDown", {Trouble::unavailable, Again::later}},
    {"RequestTimeout", {Trouble::unavailable, Again::later}},
    {"RequestTimeoutException", {Trouble::unavailable, Again::later}},
    {"InternalError", {Trouble::unavailable, Again::later}},
    {"ServiceUnavailable", {Trouble::unavailable, Again::later}},
    {"Throttling", {Trouble::unavailable, Again::later}},
    {"ThrottlingException", {Trouble::unavailable, Again::later}},
    {"RequestLimitExceeded", {Trouble::unavailable, Again::later}},
    {"BandwidthLimitExceeded", {Trouble::unavailable, Again::later}},
    {"TooManyRequests", {Trouble::unavailable, Again::later}},
    // Two changes of one object or multipart upload at a time.
    {"OperationAborted", {Trouble::unavailable, Again::later}},
    {"ConditionalRequestConflict", {Trouble::unavailable, Again::later}},
    // The bytes were not those that we have sent.
    {"BadDigest", {Trouble::unavailable, Again::later}},
    {"XAmzContentSHA256Mismatch", {Trouble::unavailable, Again::later}},
    {"XAmzContentChecksumMismatch", {Trouble::unavailable, Again::later}},
    {"IncompleteBody", {Trouble::unavailable, Again::later}},
});

Verdict judge_status(int status) noexcept {
  switch (status) {
    case 404:
      return {Trouble::missing, Again::never};
    case 405:
    case 501:
      return {Trouble::unsupported, Again::never};
    case 304:
    case 412:
    case 416:
      return {Trouble::changed, Again::never};
    case 507:
      return {Trouble::full, Again::never};
    case 307:  // a bucket is so new that names do not lead to it yet
    case 408:
    case 429:
      return {Trouble::unavailable, Again::later};
    default:
      return status >= 300 && status < 500 ? Verdict{Trouble::refused, Again::never}
                                           : Verdict{Trouble::unavailable, Again::later};
  }
}

}  // namespace

Verdict judge(int status, std::string_view code) noexcept {
  const auto* row = std::ranges::find(rows, code, &Row::code);
  if (row != rows.end()) return row->verdict;
  auto verdict = judge_status(status);
  // "Missing" decides on the life of an upload; a code that nobody knows here must not.
  if (verdict.trouble == Trouble::missing && !code.empty()) return {Trouble::refused, Again::never};
  return verdict;
}

bool is_about_checksum(int status, std::string_view code, std::string_view message) noexcept {
  const bool unknown = code == "NotImplemented" && (status == 501 || status == 400);
  const bool unfit = status == 400 && (code == "InvalidRequest" || code == "InvalidArgument" ||
                                       code == "BadRequest");
  if (!unknown && !unfit) return false;
  return message.empty() || message.contains("hecksum") || message.contains("CRC") ||
         message.contains("crc32c") || message.contains("header");
}

}  // namespace tus::s3
