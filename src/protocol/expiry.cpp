#include "protocol/expiry.h"

namespace tus::protocol {

std::optional<std::chrono::sys_seconds> expiry_of(const UploadInfo& upload,
                                                  std::chrono::seconds after) {
  if (after.count() == 0 || !upload.last_activity) return std::nullopt;
  const bool was_given_up = upload.finish == FinishState::abandoned;
  if (upload.finished() || upload.has_all_bytes() || was_given_up) return std::nullopt;
  return *upload.last_activity + after;
}

}  // namespace tus::protocol
