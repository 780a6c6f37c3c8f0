// AWS Signature Version 4, with the rules that S3 has of its own: a path is encoded once and never tidied up. Pure.
#pragma once

#include "stores/s3/client/text.h"

#include <openssl/evp.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tus::s3 {

inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";

// Of a payload, piece by piece.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> bytes);
  std::string finish();  // in hex; the last call

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

std::string sha256_hex(std::string_view bytes);

// "20130524T000000Z", for X-Amz-Date.
std::string amz_date(std::chrono::sys_seconds time);

struct KeyPair {
  std::string_view id;
  std::string_view secret;
};

// What a signature is good for.
struct Scope {
  std::chrono::sys_seconds time;  // that of X-Amz-Date
  std::string_view region;
  std::string_view service = "s3";
};

struct ToSign {
  std::string_view method;
  std::string_view path;  // as it is sent
  const Query& query;
  // Every one is signed, "host" must be among them. Lower-case names; a name that comes twice, in the order
  // of its values.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view payload_hash;  // the value of X-Amz-Content-Sha256
};

std::string canonical_request(const ToSign& request);

// The value of Authorization.
std::string authorization(const ToSign& request, const Scope& scope, const KeyPair& key);

}  // namespace tus::s3
