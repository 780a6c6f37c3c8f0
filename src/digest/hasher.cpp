#include "digest/hasher.h"

#include "digest/crc32c.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <zlib.h>

namespace tus::digest {

namespace {

void require(int done) {
  if (done != 1) throw std::runtime_error("a digest that the library does not make");
}

class EvpHasher final : public Hasher {
 public:
  explicit EvpHasher(const EVP_MD* kind) : context_(EVP_MD_CTX_new()) {
    require(context_ != nullptr ? EVP_DigestInit_ex(context_.get(), kind, nullptr) : 0);
  }

  void update(std::span<const std::byte> bytes) override {
    require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
  }

  std::string finish() override {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    require(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size));
    return {reinterpret_cast<const char*>(bytes.data()), size};
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

// With the highest byte first, as everybody writes them who puts them into base64.
std::string bytes_of(std::uint32_t crc) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(crc >> shift));
  return bytes;
}

class Crc32 final : public Hasher {
 public:
  void update(std::span<const std::byte> bytes) override {
    crc_ = static_cast<std::uint32_t>(
        crc32_z(crc_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
  }
  std::string finish() override { return bytes_of(crc_); }

 private:
  std::uint32_t crc_ = 0;
};

class Crc32c final : public Hasher {
 public:
  void update(std::span<const std::byte> bytes) override { crc_ = crc32c(crc_, bytes); }
  std::string finish() override { return bytes_of(crc_); }

 private:
  std::uint32_t crc_ = 0;
};

}  // namespace

std::unique_ptr<Hasher> make_hasher(ChecksumAlgorithm algorithm) {
  switch (algorithm) {
    case ChecksumAlgorithm::sha1:
      return std::make_unique<EvpHasher>(EVP_sha1());
    case ChecksumAlgorithm::md5:
      return std::make_unique<EvpHasher>(EVP_md5());
    case ChecksumAlgorithm::sha256:
      return std::make_unique<EvpHasher>(EVP_sha256());
    case ChecksumAlgorithm::sha512:
      return std::make_unique<EvpHasher>(EVP_sha512());
    case ChecksumAlgorithm::crc32:
      return std::make_unique<Crc32>();
    case ChecksumAlgorithm::crc32c:
      return std::make_unique<Crc32c>();
  }
  throw std::invalid_argument("no such algorithm");
}

std::string digest_of(ChecksumAlgorithm algorithm, std::span<const std::byte> bytes) {
  const auto hasher = make_hasher(algorithm);
  hasher->update(bytes);
  return hasher->finish();
}

}  // namespace tus::digest
