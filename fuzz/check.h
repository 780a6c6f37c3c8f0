// What every target needs: promises that end the program when they are broken, and inputs taken apart.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace tus::fuzz {

// The line that says what was promised is the best message there is.
inline void require(bool promise,
                    const std::source_location& where = std::source_location::current()) {
  if (promise) return;
  std::fprintf(stderr, "broken promise at %s:%u\n", where.file_name(),
               static_cast<unsigned>(where.line()));
  std::abort();
}

// No byte that could end a field, a head or a C string.
inline bool fits_a_header(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

// The parts of an input, one on each line. A copy, so that a read past the end of a part is seen.
inline std::vector<std::string> lines_of(std::string_view input) {
  std::vector<std::string> lines;
  while (!input.empty()) {
    const auto end = std::min(input.find('\n'), input.size());
    lines.emplace_back(input.substr(0, end));
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  return lines;
}

inline std::string line_of(const std::vector<std::string>& lines, std::size_t number) {
  return number < lines.size() ? lines[number] : std::string();
}

}  // namespace tus::fuzz
