// Small files that an operator names.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

namespace tus::app {

// The whole file, or why not: "cannot read PATH: reason".
std::expected<std::string, std::string> read_text_file(const std::string& path,
                                                       std::size_t largest);

}  // namespace tus::app
