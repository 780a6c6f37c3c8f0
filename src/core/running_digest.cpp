#include "core/running_digest.h"

#include "async/random_id.h"
#include "protocol/header_values.h"

namespace tus::core {

namespace {

constexpr std::string_view algorithm = "sha-256 ";

}  // namespace

RunningDigest RunningDigest::begin() { return RunningDigest(random_id()); }

std::optional<RunningDigest> RunningDigest::parse(std::string_view text) {
  if (!text.starts_with(algorithm)) return std::nullopt;
  text.remove_prefix(algorithm.size());
  const auto space = text.find(' ');
  if (space == 0 || space == std::string_view::npos) return std::nullopt;
  const auto bytes = protocol::decode_base64(text.substr(space + 1));
  const auto state = bytes ? digest::RunningSha256::from_state(*bytes) : std::nullopt;
  if (!state) return std::nullopt;
  RunningDigest running(std::string(text.substr(0, space)));
  running.sha256_ = *state;
  running.saved = running.offset();
  return running;
}

std::string RunningDigest::text() const {
  return std::string(algorithm) + name_ + ' ' + protocol::encode_base64(sha256_.state());
}

std::string RunningDigest::repr() const {
  return "sha-256=:" + protocol::encode_base64(sha256_.digest()) + ':';
}

}  // namespace tus::core
