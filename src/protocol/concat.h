// The grammar of Upload-Concat.
#pragma once

#include <tus/upload_id.h>

#include <optional>
#include <string_view>
#include <vector>

namespace tus::protocol {

struct Concat {
  bool is_partial = false;
  std::vector<UploadId> parts;  // of a final upload, in order; at least one
};

// "partial", or "final;" and the URLs of the parts with spaces between them. A URL is absolute or begins
// with its path; the host is not looked at, because a client may know us by several names. For the same reason
// the path may begin with `prefix`, what a proxy puts in front of ours. Nothing when it is neither, or when a
// URL names nothing that could be an upload of ours.
std::optional<Concat> parse_concat(std::string_view value, std::string_view base_path,
                                   std::string_view prefix = {});

}  // namespace tus::protocol
