// Leases within one process.
#pragma once

#include <tus/locker.h>

TUS_NAMESPACE_BEGIN

TUS_EXPORT std::shared_ptr<Locker> make_memory_locker();

TUS_NAMESPACE_END
