// Which resource a request target names.
#pragma once

#include <tus/upload_id.h>

#include <cstdint>
#include <string_view>

namespace tus::protocol {

enum class Resource : std::uint8_t {
  none,        // nothing of ours, or an id that no upload can have
  collection,  // where uploads are created
  upload,
};

struct Route {
  Resource resource = Resource::none;
  UploadId id;  // of an upload
};

// `target` is a path with or without a query, percent-encoded; `base_path` ends with '/' and also
// matches without it. An id is decoded once; an encoded '/' in it is refused, so that every upload has
// one URL and no proxy in front of us sees another path than we do.
Route find_route(std::string_view target, std::string_view base_path);

}  // namespace tus::protocol
