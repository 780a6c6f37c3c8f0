// The answer to GET of an upload, as a pure function of the request and the upload.
#pragma once

#include "protocol/byte_range.h"
#include "protocol/conditions.h"

#include <tus/message.h>
#include <tus/upload_info.h>

#include <optional>

namespace tus::protocol {

struct DownloadAnswer {
  Response head;                    // 200, 206, 304, 412 or 416; for the first two without a body
  std::optional<ByteSpan> content;  // of the upload, for 200 and 206
};

// Of a finished upload. Conditions come before ranges. `last_modified`: when its bytes were written, where that is
// known.
DownloadAnswer answer_download(const RequestHead& head, const UploadInfo& upload,
                               std::optional<std::chrono::sys_seconds> last_modified);

// What an upload that cannot be downloaded yet is refused with; nothing: it is finished.
std::optional<ErrorCode> refuse_download(const UploadInfo& upload) noexcept;

}  // namespace tus::protocol
