// The digest of an upload's first bytes, which goes on with the next ones.
#pragma once

#include "core/hashing_source.h"
#include "digest/running_sha256.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tus::core {

class RunningDigest final : public ByteObserver {
 public:
  // Of no bytes.
  static RunningDigest begin();
  // From UploadDigest::state.
  static std::optional<RunningDigest> parse(std::string_view text);

  void saw(std::span<const std::byte> bytes) override { sha256_.update(bytes); }

  std::uint64_t offset() const noexcept { return sha256_.size(); }
  // Stays the same for one upload, and is in its record: another upload of the same id has another one.
  const std::string& name() const noexcept { return name_; }
  std::string text() const;
  // As in Repr-Digest.
  std::string repr() const;

  // How much of it is in the record of the upload.
  std::uint64_t saved = 0;

 private:
  explicit RunningDigest(std::string name) : name_(std::move(name)) {}

  std::string name_;
  digest::RunningSha256 sha256_;
};

}  // namespace tus::core
