#pragma once

#include <tus/export.h>

#include <string_view>

TUS_NAMESPACE_BEGIN

// The version of the library that is linked, such as "0.1.0".
TUS_EXPORT std::string_view version() noexcept;

TUS_NAMESPACE_END
