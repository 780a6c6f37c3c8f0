#include "stores/s3/client/sigv4.h"

#include "base/ascii.h"

#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <map>
#include <new>
#include <stdexcept>

namespace tus::s3 {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

std::string hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, text.size(),
           digest.data(), &size) == nullptr)
    throw std::runtime_error("HMAC-SHA256 failed");
  return {reinterpret_cast<const char*>(digest.data()), size};
}

// One space where there are more, none at the ends.
std::string tidy(std::string_view value) {
  std::string out;
  for (const char c : base::trim(value)) {
    if (c != ' ' || !out.ends_with(' ')) out += c;
  }
  return out;
}

struct CanonicalHeaders {
  std::string lines;
  std::string names;
};

CanonicalHeaders canonical_headers(
    const std::vector<std::pair<std::string, std::string>>& headers) {
  std::map<std::string_view, std::string> values;
  for (const auto& [name, value] : headers) {
    auto& all = values[name];
    if (!all.empty()) all += ',';
    all += tidy(value);
  }
  CanonicalHeaders out;
  for (const auto& [name, value] : values) {
    if (!out.names.empty()) out.names += ';';
    out.names += name;
    out.lines += std::string(name) + ":" + value + "\n";
  }
  return out;
}

std::string canonical_request(const ToSign& request, const CanonicalHeaders& headers) {
  std::string out(request.method);
  out += '\n';
  out += request.path.empty() ? "/" : request.path;
  out += '\n';
  out += encode_query(request.query);
  out += '\n';
  out += headers.lines;
  out += '\n';
  out += headers.names;
  out += '\n';
  out += request.payload_hash;
  return out;
}

std::string signing_key(const Scope& scope, std::string_view date, std::string_view secret) {
  auto key = hmac("AWS4" + std::string(secret), date);
  key = hmac(key, scope.region);
  key = hmac(key, scope.service);
  return hmac(key, "aws4_request");
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
    throw std::bad_alloc();
}

void Sha256::update(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1)
    throw std::runtime_error("SHA-256 failed");
}

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1)
    throw std::runtime_error("SHA-256 failed");
  return hex(std::span(digest).first(size));
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 sha;
  sha.update(std::as_bytes(std::span(bytes)));
  return sha.finish();
}

std::string amz_date(std::chrono::sys_seconds time) {
  using namespace std::chrono;
  const auto days = floor<std::chrono::days>(time);
  const year_month_day date(days);
  const hh_mm_ss clock(time - days);
  const auto digits = [](auto number, std::size_t count) {
    auto text = std::to_string(number);
    return std::string(count - std::min(count, text.size()), '0') + text;
  };
  return digits(static_cast<int>(date.year()), 4) + digits(static_cast<unsigned>(date.month()), 2) +
         digits(static_cast<unsigned>(date.day()), 2) + "T" + digits(clock.hours().count(), 2) +
         digits(clock.minutes().count(), 2) + digits(clock.seconds().count(), 2) + "Z";
}

std::string canonical_request(const ToSign& request) {
  return canonical_request(request, canonical_headers(request.headers));
}

std::string authorization(const ToSign& request, const Scope& scope, const KeyPair& key) {
  const auto headers = canonical_headers(request.headers);
  const auto time = amz_date(scope.time);
  const auto date = time.substr(0, 8);
  const auto scope_text =
      date + "/" + std::string(scope.region) + "/" + std::string(scope.service) + "/aws4_request";
  const auto to_sign = std::string(algorithm) + "\n" + time + "\n" + scope_text + "\n" +
                       sha256_hex(canonical_request(request, headers));
  const auto signature = hmac(signing_key(scope, date, key.secret), to_sign);
  const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
  return std::string(algorithm) + " Credential=" + std::string(key.id) + "/" + scope_text +
         ", SignedHeaders=" + headers.names +
         ", Signature=" + hex(std::span(bytes, signature.size()));
}

}  // namespace tus::s3
