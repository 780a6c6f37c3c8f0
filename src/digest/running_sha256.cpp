// EVP contexts do not give their state away. The functions below EVP do; they are called deprecated since
// OpenSSL 3.0 and are still what runs on the processor's own instructions. This file is all that uses them.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "digest/running_sha256.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

namespace tus::digest {

namespace {

constexpr std::size_t chain_bytes = 32;
constexpr std::size_t size_bytes = 8;

void put(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (auto i = bytes; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::uint64_t get(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// At the border of a block.
SHA256_CTX context_of(const std::uint32_t (&chain)[8], std::uint64_t size) noexcept {
  SHA256_CTX context;
  SHA256_Init(&context);
  std::copy(std::begin(chain), std::end(chain), std::begin(context.h));
  const auto bits = size * 8;
  context.Nl = static_cast<SHA_LONG>(bits);
  context.Nh = static_cast<SHA_LONG>(bits >> 32);
  return context;
}

}  // namespace

RunningSha256::RunningSha256() noexcept {
  SHA256_CTX context;
  SHA256_Init(&context);
  std::copy(std::begin(context.h), std::end(context.h), std::begin(chain_));
}

void RunningSha256::update(std::span<const std::byte> bytes) noexcept {
  const auto begun = size_ % block_size;
  auto context = context_of(chain_, size_ - begun);
  SHA256_Update(&context, block_, begun);
  SHA256_Update(&context, bytes.data(), bytes.size());
  size_ += bytes.size();
  std::copy(std::begin(context.h), std::end(context.h), std::begin(chain_));
  const auto left = size_ % block_size;
  // What is left may be longer than what came.
  const auto kept = left > bytes.size() ? begun : 0;
  const auto more = left - kept;
  std::copy_n(bytes.end() - static_cast<std::ptrdiff_t>(more), more, block_ + kept);
}

std::string RunningSha256::digest() const {
  const auto begun = size_ % block_size;
  auto context = context_of(chain_, size_ - begun);
  SHA256_Update(&context, block_, begun);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> bytes{};
  SHA256_Final(bytes.data(), &context);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string RunningSha256::state() const {
  std::string out;
  for (const auto word : chain_) put(out, word, 4);
  put(out, size_, size_bytes);
  out.append(reinterpret_cast<const char*>(block_), size_ % block_size);
  return out;
}

std::optional<RunningSha256> RunningSha256::from_state(std::string_view state) {
  if (state.size() < chain_bytes + size_bytes) return std::nullopt;
  RunningSha256 running;
  for (std::size_t i = 0; i < 8; ++i) {
    running.chain_[i] = static_cast<std::uint32_t>(get(state.substr(4 * i, 4)));
  }
  running.size_ = get(state.substr(chain_bytes, size_bytes));
  const auto block = state.substr(chain_bytes + size_bytes);
  if (running.size_ > INT64_MAX || block.size() != running.size_ % block_size) return std::nullopt;
  std::memcpy(running.block_, block.data(), block.size());
  return running;
}

}  // namespace tus::digest
