// Conditional requests. RFC 9110 section 13.
#pragma once

#include <tus/message.h>
#include <tus/upload_info.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace tus::protocol {

// What tells one state of a resource from another.
struct Validators {
  std::string etag;  // strong, with its quotes
  std::optional<std::chrono::sys_seconds> last_modified;
};

enum class Precondition : std::uint8_t {
  holds,
  not_modified,  // 304
  failed,        // 412
};

// If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since of a GET, in the order of section
// 13.2.2. Without a date of ours, conditions on dates are ignored.
Precondition check_preconditions(const Fields& fields, const Validators& ours);

// Whether If-Range lets a Range count; also when there is none.
bool range_counts(const Fields& fields, const Validators& ours);

// Of a finished upload: never changes, and differs between uploads. It is made of what the upload is called,
// how long it is and what its client said about it, and not of its file's times, so that it survives a copy
// of the directory.
std::string entity_tag(const UploadInfo& upload);

}  // namespace tus::protocol
