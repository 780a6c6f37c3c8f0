// How a download is presented: what it is called and what a browser may do with it.
#pragma once

#include <tus/upload_info.h>

#include <string>
#include <string_view>

namespace tus::protocol {

struct Presentation {
  std::string content_type;
  std::string disposition;  // RFC 6266
};

// The metadata `filetype`, if it is a media type, becomes the Content-Type. Only types that no browser runs as a
// program are shown inline, the same ones as with Go's tusd; everything else is to be saved. The name comes
// from the metadata `filename`, or `name`: as a quoted ASCII text for old clients, and as `filename*` where that
// is not all of it.
Presentation present(const Metadata& metadata);

// "type/subtype", with well-formed parameters.
bool is_well_formed_media_type(std::string_view text) noexcept;

}  // namespace tus::protocol
