#include "app/connection_limit.h"

#include <algorithm>
#include <sys/resource.h>

namespace tus::app {

namespace {

// Data files of uploads are open while a thread works on them, and pipes are pooled, so that does not grow with the number
// of connections; a download has its file open for as long as it lasts. Where there are few descriptors, a quarter has
// to do.
constexpr std::uint64_t most_for_files = 1024;

}  // namespace

std::uint64_t descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
  return limit.rlim_cur;
}

std::uint64_t connection_limit(std::uint64_t wanted, std::uint64_t descriptors) noexcept {
  if (descriptors == 0) return wanted;
  const auto fit = descriptors - std::min(descriptors / 4, most_for_files);
  return wanted == 0 ? fit : std::min(wanted, fit);
}

}  // namespace tus::app
