// Lines about a request. Each of them says which request it was, of whom, and for which upload.
#pragma once

#include <tus/body_source.h>
#include <tus/handler.h>

#include <cstdint>
#include <string_view>

namespace tus::core {

// One line per change of an upload; `event` as in Logger::log.
void log_upload(const HandlerParts& parts, std::string_view event, const UploadInfo& upload,
                const RequestHead& cause) noexcept;

// Every request, for -verbose.
void log_request(const HandlerParts& parts, const RequestHead& head) noexcept;
// `id`: of the upload; empty when there is none or it is not known.
void log_response(const HandlerParts& parts, const RequestHead& head, std::string_view id,
                  const Response& response) noexcept;
// What a request was refused for. `cause` may be nullptr.
void log_error(const HandlerParts& parts, const RequestHead& head, std::string_view id,
               const Response& response, const Error* cause) noexcept;

// The bytes that a request brings: before they are written, and after.
void log_chunk_start(const HandlerParts& parts, const UploadInfo& upload, const RequestHead& head,
                     std::uint64_t offset) noexcept;
void log_chunk_end(const HandlerParts& parts, const UploadInfo& upload, const RequestHead& head,
                   std::uint64_t bytes) noexcept;

}  // namespace tus::core
