#include <tus/version.h>

namespace tus::inline v0 {

std::string_view version() noexcept {
  return TUS_VERSION;
}

}  // namespace tus::inline v0
