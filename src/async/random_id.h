// Names that nobody can guess.
#pragma once

#include <tus/export.h>

#include <string>

TUS_NAMESPACE_BEGIN

// 128 random bits from the kernel, as 32 hexadecimal digits.
std::string random_id();

TUS_NAMESPACE_END
