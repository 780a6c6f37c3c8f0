#include "app/origin_pattern.h"

#include <exception>

namespace tus::app {

namespace {

// Names of hosts have at most 253 characters.
constexpr std::size_t longest_origin = 512;

}  // namespace

std::expected<OriginPattern, std::string> OriginPattern::compile(const std::string& pattern) {
  try {
    return OriginPattern(boost::regex(pattern, boost::regex::perl));
  } catch (const std::exception&) {
    return std::unexpected("want a regular expression such as ^https://(www\\.)?example\\.org$");
  }
}

bool OriginPattern::matches(std::string_view origin) const noexcept {
  if (origin.size() > longest_origin) return false;
  try {
    return boost::regex_search(origin.begin(), origin.end(), regex_);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace tus::app
