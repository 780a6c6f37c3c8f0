#include "protocol/concat.h"

#include "base/ascii.h"
#include "protocol/route.h"

#include <algorithm>
#include <utility>

namespace tus::protocol {

namespace {

constexpr std::string_view final_mark = "final;";

bool is_http(std::string_view scheme) {
  return base::equals_ignoring_case(scheme, "http") || base::equals_ignoring_case(scheme, "https");
}

// From the path on. Nothing for a relative reference, or one without a scheme.
std::optional<std::string_view> path_of(std::string_view url) {
  if (url.starts_with("//")) return std::nullopt;
  if (url.starts_with('/')) return url;
  constexpr std::string_view authority_mark = "://";
  const auto mark = url.find(authority_mark);
  if (mark == std::string_view::npos || !is_http(url.substr(0, mark))) return std::nullopt;
  url.remove_prefix(mark + authority_mark.size());
  const auto path = url.find('/');
  if (path == std::string_view::npos || path == 0) return std::nullopt;
  return url.substr(path);
}

std::optional<UploadId> part_of(std::string_view url, std::string_view base_path,
                                std::string_view prefix) {
  auto path = path_of(url);
  if (path && path->starts_with(prefix) && path->substr(prefix.size()).starts_with(base_path)) {
    path->remove_prefix(prefix.size());
  }
  if (!path || path->find('?') != std::string_view::npos) return std::nullopt;
  auto route = find_route(*path, base_path);
  if (route.resource != Resource::upload) return std::nullopt;
  return std::move(route.id);
}

}  // namespace

std::optional<Concat> parse_concat(std::string_view value, std::string_view base_path,
                                   std::string_view prefix) {
  Concat concat;
  if (value == "partial") {
    concat.is_partial = true;
    return concat;
  }
  if (!value.starts_with(final_mark)) return std::nullopt;
  auto rest = value.substr(final_mark.size());
  while (!rest.empty()) {
    const auto end = std::min(rest.find(' '), rest.size());
    const auto url = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (url.empty()) continue;  // as tusd: more than one space is no part
    auto part = part_of(url, base_path, prefix);
    if (!part) return std::nullopt;
    concat.parts.push_back(std::move(*part));
  }
  if (concat.parts.empty()) return std::nullopt;
  return concat;
}

}  // namespace tus::protocol
