#include "async/random_id.h"

#include <array>
#include <cerrno>
#include <sys/random.h>
#include <system_error>

TUS_NAMESPACE_BEGIN

std::string random_id() {
  std::array<unsigned char, 16> bits{};
  if (::getrandom(bits.data(), bits.size(), 0) != static_cast<ssize_t>(bits.size())) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bits.size());
  for (unsigned char byte : bits) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

TUS_NAMESPACE_END
