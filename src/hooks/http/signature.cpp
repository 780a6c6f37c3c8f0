#include "hooks/http/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>

namespace tus::hooks {

namespace {

std::string hex(const unsigned char* bytes, unsigned count) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(std::size_t{count} * 2);
  for (unsigned i = 0; i < count; ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

}  // namespace

std::string signature(std::string_view secret, std::chrono::system_clock::time_point now,
                      std::string_view body) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  auto signed_text = std::to_string(seconds);
  auto text = "t=" + signed_text + ",v1=";
  signed_text += '.';
  signed_text += body;
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(),
           mac.data(), &size) == nullptr)
    throw std::runtime_error("HMAC-SHA256 is not available");
  return text + hex(mac.data(), size);
}

}  // namespace tus::hooks
