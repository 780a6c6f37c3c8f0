#include "protocol/metadata.h"

#include "base/ascii.h"
#include "protocol/header_values.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tus::protocol {

namespace {

using Pair = Metadata::value_type;

std::optional<Pair> parse_pair(std::string_view text) {
  text = base::trim(text);
  const auto space = text.find(' ');
  const auto key = text.substr(0, space);
  if (key.empty()) return std::nullopt;
  if (space == std::string_view::npos) return Pair(key, "");
  auto value = decode_base64(text.substr(space + 1));
  if (!value) return std::nullopt;
  return Pair(key, std::move(*value));
}

bool is_key(std::string_view key) {
  return !key.empty() && is_field_value(key) && key.find_first_of(" \t,") == std::string_view::npos;
}

}  // namespace

Metadata parse_metadata(std::string_view raw) {
  Metadata metadata;
  while (!raw.empty()) {
    const auto comma = raw.find(',');
    auto pair = parse_pair(raw.substr(0, comma));
    raw.remove_prefix(comma == std::string_view::npos ? raw.size() : comma + 1);
    if (!pair) continue;
    const auto same = std::ranges::find(metadata, pair->first, &Pair::first);
    if (same == metadata.end()) {
      metadata.push_back(std::move(*pair));
    } else {
      same->second = std::move(pair->second);
    }
  }
  return metadata;
}

std::string format_metadata(const Metadata& metadata) {
  std::string text;
  for (const auto& [key, value] : metadata) {
    if (!is_key(key)) continue;
    if (!text.empty()) text += ',';
    text += key;
    if (!value.empty()) text += ' ' + encode_base64(value);
  }
  return text;
}

}  // namespace tus::protocol
