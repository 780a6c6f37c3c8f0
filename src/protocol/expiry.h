// When uploads end by themselves. tus 1.0.0, expiration.
#pragma once

#include <tus/upload_info.h>

#include <chrono>
#include <optional>

namespace tus::protocol {

// The end of an upload that gets no more bytes, `after` its last ones. Nothing: it has no end, because it has all
// its bytes, was given up at its finish, nobody knows its age, or `after` is 0.
std::optional<std::chrono::sys_seconds> expiry_of(const UploadInfo& upload,
                                                  std::chrono::seconds after);

}  // namespace tus::protocol
