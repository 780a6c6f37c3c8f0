#include <tus/body_state.h>
#include <tus/error.h>

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace tus {
namespace {

std::string sentence(ErrorCode code) {
  const auto& d = describe(code);
  return std::to_string(d.status) + " " + std::string(d.code) + ": " + std::string(d.message);
}

std::vector<ErrorCode> all_codes() {
  std::vector<ErrorCode> codes;
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    codes.push_back(static_cast<ErrorCode>(i));
  }
  return codes;
}

// [ERR-1] Programs match on these lines, so they are spelt out here once more.
TEST(error, codes_and_sentences_are_those_of_tusd) {
  using enum ErrorCode;
  const std::vector<std::pair<ErrorCode, std::string>> table = {
      {unsupported_version,
       "412 ERR_UNSUPPORTED_VERSION: missing, invalid or unsupported Tus-Resumable header"},
      {max_size_exceeded, "413 ERR_MAX_SIZE_EXCEEDED: maximum size exceeded"},
      {invalid_content_type,
       "415 ERR_INVALID_CONTENT_TYPE: missing or invalid Content-Type header"},
      {invalid_upload_length,
       "400 ERR_INVALID_UPLOAD_LENGTH: missing or invalid Upload-Length header"},
      {invalid_offset, "400 ERR_INVALID_OFFSET: missing or invalid Upload-Offset header"},
      {upload_not_found, "404 ERR_UPLOAD_NOT_FOUND: upload not found"},
      {incomplete_upload, "400 ERR_INCOMPLETE_UPLOAD: cannot stream non-finished upload"},
      {origin_not_allowed, "403 ERR_ORIGIN_NOT_ALLOWED: request origin is not allowed"},
      {upload_locked, "423 ERR_UPLOAD_LOCKED: file currently locked"},
      {lock_timeout, "500 ERR_LOCK_TIMEOUT: failed to acquire lock before timeout"},
      {mismatched_offset, "409 ERR_MISMATCHED_OFFSET: mismatched offset"},
      {size_exceeded, "413 ERR_UPLOAD_SIZE_EXCEEDED: upload's size exceeded"},
      {not_implemented, "501 ERR_NOT_IMPLEMENTED: feature not implemented"},
      {upload_not_finished,
       "400 ERR_UPLOAD_NOT_FINISHED: one of the partial uploads is not finished"},
      {part_gone, "410 ERR_PARTIAL_UPLOAD_GONE: one of the partial uploads is gone"},
      {invalid_concat, "400 ERR_INVALID_CONCAT: invalid Upload-Concat header"},
      {concatenation_unsupported,
       "400 ERR_CONCATENATION_UNSUPPORTED: Upload-Concat header is not supported by server"},
      {modify_final, "403 ERR_MODIFY_FINAL: modifying a final upload is not allowed"},
      {ambiguous_upload_length,
       "400 ERR_AMBIGUOUS_UPLOAD_LENGTH: provided both Upload-Length and Upload-Defer-Length"},
      {invalid_upload_defer_length,
       "400 ERR_INVALID_UPLOAD_LENGTH_DEFER: invalid Upload-Defer-Length header"},
      {upload_stopped, "400 ERR_UPLOAD_STOPPED: upload has been stopped by server"},
      {upload_rejected, "400 ERR_UPLOAD_REJECTED: upload creation has been rejected by server"},
      {access_rejected,
       "403 ERR_ACCESS_REJECTED: access to the upload has been rejected by server"},
      {termination_rejected,
       "400 ERR_UPLOAD_TERMINATION_REJECTED: upload termination has been rejected by server"},
      {upload_interrupted,
       "423 ERR_UPLOAD_INTERRUPTED: upload has been interrupted by another request for this upload "
       "resource"},
      {server_shutdown,
       "503 ERR_SERVER_SHUTDOWN: request has been interrupted because the server is shutting down"},
      {unexpected_eof, "500 ERR_UNEXPECTED_EOF: server expected to receive more bytes"},
      {read_timeout, "500 ERR_READ_TIMEOUT: timeout while reading request body"},
      {connection_reset, "500 ERR_CONNECTION_RESET: TCP connection reset by peer"},
      {method_not_allowed, "405 : method not allowed"},
      {internal, "500 ERR_INTERNAL_SERVER_ERROR: internal server error"},
  };
  for (const auto& [code, expected] : table) EXPECT_EQ(sentence(code), expected);
}

// [ERR-2]
TEST(error, our_own_codes) {
  using enum ErrorCode;
  const std::vector<std::tuple<ErrorCode, int, std::string>> table = {
      {invalid_metadata, 400, "ERR_INVALID_METADATA"},
      {invalid_request, 400, "ERR_INVALID_REQUEST"},
      {precondition_failed, 412, "ERR_PRECONDITION_FAILED"},
      {range_not_satisfiable, 416, "ERR_RANGE_NOT_SATISFIABLE"},
      {checksum_unsupported, 400, "ERR_CHECKSUM_UNSUPPORTED"},
      {checksum_algorithm_unsupported, 400, "ERR_CHECKSUM_ALGORITHM_UNSUPPORTED"},
      {invalid_checksum, 400, "ERR_INVALID_CHECKSUM"},
      {checksum_mismatch, 460, "ERR_CHECKSUM_MISMATCH"},
      {upload_finishing, 503, "ERR_UPLOAD_FINISHING"},
      {upload_finish_failed, 500, "ERR_UPLOAD_FINISH_FAILED"},
      {upload_damaged, 500, "ERR_UPLOAD_DAMAGED"},
      {upload_gone, 410, "ERR_UPLOAD_GONE"},
      {no_space, 507, "ERR_INSUFFICIENT_STORAGE"},
      {store_unavailable, 503, "ERR_STORE_UNAVAILABLE"},
      {lease_lost, 503, "ERR_LEASE_LOST"},
      {upload_too_slow, 503, "ERR_UPLOAD_TOO_SLOW"},
      {too_many_connections, 503, "ERR_TOO_MANY_CONNECTIONS"},
      {too_many_uploads, 503, "ERR_TOO_MANY_UPLOADS"},
      {overloaded, 503, "ERR_OVERLOADED"},
  };
  for (const auto& [code, status, name] : table) {
    EXPECT_EQ(describe(code).status, status) << name;
    EXPECT_EQ(describe(code).code, name);
  }
}

TEST(error, every_code_is_unique_and_has_a_sentence) {
  std::set<std::string> seen;
  for (const auto code : all_codes()) {
    EXPECT_TRUE(seen.insert(std::string(describe(code).code)).second) << sentence(code);
    EXPECT_FALSE(describe(code).message.empty());
    EXPECT_GE(describe(code).status, 400);
    EXPECT_LT(describe(code).status, 600);
  }
}

// [ERR-3] tus clients try again on 409, 423 and 5xx and on nothing else.
TEST(error, what_may_succeed_later_has_a_status_that_clients_retry) {
  for (const auto code : all_codes()) {
    if (!is_retryable(code)) continue;
    const int status = describe(code).status;
    EXPECT_TRUE(status == 423 || status >= 500) << sentence(code);
  }
  EXPECT_TRUE(is_retryable(ErrorCode::upload_interrupted));
  EXPECT_TRUE(is_retryable(ErrorCode::no_space));
  EXPECT_FALSE(is_retryable(ErrorCode::not_implemented));
  EXPECT_FALSE(is_retryable(ErrorCode::mismatched_offset));
}

// [ERR-4]
TEST(body_state, has_an_error_for_every_way_a_body_breaks) {
  EXPECT_EQ(error_of(BodyState::open), std::nullopt);
  EXPECT_EQ(error_of(BodyState::complete), std::nullopt);
  EXPECT_EQ(error_of(BodyState::limit), ErrorCode::size_exceeded);
  EXPECT_EQ(error_of(BodyState::interrupted), ErrorCode::upload_interrupted);
  EXPECT_EQ(error_of(BodyState::stopping), ErrorCode::server_shutdown);
  EXPECT_EQ(error_of(BodyState::timed_out), ErrorCode::read_timeout);
  EXPECT_EQ(error_of(BodyState::peer_closed), ErrorCode::unexpected_eof);
  EXPECT_EQ(error_of(BodyState::peer_reset), ErrorCode::connection_reset);
  EXPECT_EQ(error_of(BodyState::malformed), ErrorCode::invalid_request);
  EXPECT_EQ(error_of(BodyState::too_slow), ErrorCode::upload_too_slow);
}

}  // namespace
}  // namespace tus
