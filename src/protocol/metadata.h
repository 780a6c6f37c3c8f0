// Upload-Metadata: what a client tells about its file.
#pragma once

#include <tus/upload_info.h>

#include <string>
#include <string_view>

namespace tus::protocol {

// The pairs of a header value in their order. A pair that is malformed is left out and the others
// count; of several values of one key the last counts. Both as Go's tusd does it, because clients in
// the field rely on it.
Metadata parse_metadata(std::string_view raw);

// A header value for uploads whose raw one is not known. Leaves out keys that the grammar does not
// allow.
std::string format_metadata(const Metadata& metadata);

}  // namespace tus::protocol
