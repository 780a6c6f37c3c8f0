#include <tus/body_state.h>

TUS_NAMESPACE_BEGIN

std::optional<ErrorCode> error_of(BodyState state) noexcept {
  switch (state) {
    case BodyState::open:
    case BodyState::complete:
      return std::nullopt;
    case BodyState::limit:
      return ErrorCode::size_exceeded;
    case BodyState::interrupted:
      return ErrorCode::upload_interrupted;
    case BodyState::stopping:
      return ErrorCode::server_shutdown;
    case BodyState::timed_out:
      return ErrorCode::read_timeout;
    case BodyState::peer_closed:
      return ErrorCode::unexpected_eof;
    case BodyState::peer_reset:
      return ErrorCode::connection_reset;
    case BodyState::malformed:
      return ErrorCode::invalid_request;
    case BodyState::too_slow:
      return ErrorCode::upload_too_slow;
  }
  return ErrorCode::internal;
}

TUS_NAMESPACE_END
