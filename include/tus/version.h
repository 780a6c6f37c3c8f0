#pragma once

#include <tus/abi.h>

#include <string_view>

namespace tus::inline v0 {

// The version of the library that is linked, such as "0.1.0".
TUS_EXPORT std::string_view version() noexcept;

}  // namespace tus::inline v0
