#include <tus/version.h>

TUS_NAMESPACE_BEGIN

std::string_view version() noexcept { return TUS_VERSION; }

TUS_NAMESPACE_END
