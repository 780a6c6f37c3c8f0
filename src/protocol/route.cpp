#include "protocol/route.h"

#include "base/ascii.h"
#include "protocol/header_values.h"

#include <utility>

namespace tus::protocol {

namespace {

bool has_encoded_slash(std::string_view text) {
  for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (base::equals_ignoring_case(text.substr(at, 3), "%2f")) return true;
  }
  return false;
}

}  // namespace

Route find_route(std::string_view target, std::string_view base_path) {
  const auto path = target.substr(0, target.find('?'));
  Route route;
  if (path == base_path || path == base_path.substr(0, base_path.size() - 1)) {
    route.resource = Resource::collection;
    return route;
  }
  if (!path.starts_with(base_path)) return route;
  const auto encoded = path.substr(base_path.size());
  if (has_encoded_slash(encoded)) return route;
  const auto decoded = decode_percent(encoded);
  if (!decoded) return route;
  auto id = UploadId::parse(*decoded);
  if (!id) return route;
  route.resource = Resource::upload;
  route.id = std::move(*id);
  return route;
}

}  // namespace tus::protocol
