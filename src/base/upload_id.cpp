#include "base/ascii.h"

#include <tus/upload_id.h>

#include <algorithm>
#include <array>

TUS_NAMESPACE_BEGIN

namespace {

constexpr std::size_t max_length = 1024;
constexpr std::size_t max_segment =
    200;  // leaves room for our suffixes below the usual limit of 255

// What stores and lockers append to an id to name the files beside it.
constexpr auto reserved_suffixes =
    std::to_array<std::string_view>({".info", ".lock", ".stop", ".part"});

constexpr bool is_allowed(char c) noexcept {
  return base::is_alpha(c) || base::is_digit(c) ||
         std::string_view("._~+=@,-").find(c) != std::string_view::npos;
}

bool is_segment(std::string_view segment) noexcept {
  if (segment.empty() || segment.size() > max_segment || segment.front() == '.') return false;
  const auto ends_segment = [segment](std::string_view suffix) {
    return segment.ends_with(suffix);
  };
  if (std::ranges::any_of(reserved_suffixes, ends_segment)) return false;
  return std::ranges::all_of(segment, is_allowed);
}

}  // namespace

std::optional<UploadId> UploadId::parse(std::string_view text) {
  if (text.size() > max_length) return std::nullopt;
  std::string_view rest = text;
  while (true) {
    const auto slash = rest.find('/');
    if (!is_segment(rest.substr(0, slash))) return std::nullopt;
    if (slash == std::string_view::npos) return UploadId(std::string(text));
    rest.remove_prefix(slash + 1);
  }
}

TUS_NAMESPACE_END
