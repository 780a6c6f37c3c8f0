#include "core/request_log.h"

#include "base/digits.h"

namespace tus::core {

namespace {

using base::Digits;

// What an operator has to know. A client that goes away, or asks for what we do not have, is no trouble of
// ours, whatever its status is.
bool is_trouble(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::lock_timeout:
    case ErrorCode::upload_finish_failed:
    case ErrorCode::upload_damaged:
    case ErrorCode::no_space:
    case ErrorCode::store_unavailable:
    case ErrorCode::lease_lost:
    case ErrorCode::overloaded:
    case ErrorCode::internal:
      return true;
    default:
      return false;
  }
}

}  // namespace

void log_upload(const HandlerParts& parts, std::string_view event, const UploadInfo& upload,
                const RequestHead& cause) noexcept {
  if (!parts.logger->enabled(LogLevel::info)) return;
  const Digits length(upload.length.value_or(0));
  parts.logger->log(LogLevel::info, event,
                    {{"id", upload.id.str()},
                     {"size", upload.length ? length.view() : "deferred", LogKind::number},
                     {"method", cause.method},
                     {"path", cause.target},
                     {"remote", cause.remote_address},
                     {"requestId", cause.request_id}});
}

void log_request(const HandlerParts& parts, const RequestHead& head) noexcept {
  if (!parts.logger->enabled(LogLevel::debug)) return;
  parts.logger->log(LogLevel::debug, "RequestIncoming",
                    {{"method", head.method},
                     {"path", head.target},
                     {"remote", head.remote_address},
                     {"requestId", head.request_id}});
}

void log_response(const HandlerParts& parts, const RequestHead& head, std::string_view id,
                  const Response& response) noexcept {
  if (!parts.logger->enabled(LogLevel::debug)) return;
  const Digits status(static_cast<std::uint64_t>(response.status));
  const auto error = response.error ? describe(*response.error).code : std::string_view();
  parts.logger->log(LogLevel::debug, "ResponseOutgoing",
                    {{"status", status.view(), LogKind::number},
                     {"error", error},
                     {"id", id},
                     {"method", head.method},
                     {"path", head.target},
                     {"remote", head.remote_address},
                     {"requestId", head.request_id}});
}

void log_error(const HandlerParts& parts, const RequestHead& head, std::string_view id,
               const Response& response, const Error* cause) noexcept {
  if (!response.error) return;
  const auto level = is_trouble(*response.error) ? LogLevel::error : LogLevel::debug;
  if (!parts.logger->enabled(level)) return;
  parts.logger->log(level, "RequestFailed",
                    {{"error", describe(*response.error).code},
                     {"cause", cause != nullptr ? std::string_view(cause->detail()) : ""},
                     {"id", id},
                     {"method", head.method},
                     {"path", head.target},
                     {"remote", head.remote_address},
                     {"requestId", head.request_id}});
}

void log_chunk_start(const HandlerParts& parts, const UploadInfo& upload, const RequestHead& head,
                     std::uint64_t offset) noexcept {
  if (!parts.logger->enabled(LogLevel::debug)) return;
  const Digits at(offset);
  const Digits most(upload.length && *upload.length > offset ? *upload.length - offset : 0);
  parts.logger->log(LogLevel::debug, "ChunkWriteStart",
                    {{"id", upload.id.str()},
                     {"offset", at.view(), LogKind::number},
                     {"maxSize", upload.length ? most.view() : "", LogKind::number},
                     {"method", head.method},
                     {"path", head.target},
                     {"remote", head.remote_address},
                     {"requestId", head.request_id}});
}

void log_chunk_end(const HandlerParts& parts, const UploadInfo& upload, const RequestHead& head,
                   std::uint64_t bytes) noexcept {
  if (!parts.logger->enabled(LogLevel::debug)) return;
  const Digits written(bytes);
  parts.logger->log(LogLevel::debug, "ChunkWriteComplete",
                    {{"id", upload.id.str()},
                     {"bytesWritten", written.view(), LogKind::number},
                     {"method", head.method},
                     {"path", head.target},
                     {"remote", head.remote_address},
                     {"requestId", head.request_id}});
}

}  // namespace tus::core
