#include "protocol/checksum.h"

#include "base/ascii.h"
#include "protocol/header_values.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tus::protocol {

namespace {

constexpr std::string_view field_name = "Upload-Checksum";

struct Row {
  std::string_view name;
  std::size_t size;
};

// In the order of the enum, and of the list.
constexpr auto rows = std::to_array<Row>(
    {{"sha1", 20}, {"md5", 16}, {"sha256", 32}, {"sha512", 64}, {"crc32", 4}, {"crc32c", 4}});

// A second way to write the same digest would be one that nobody has looked at.
std::optional<std::string> decode_strictly(std::string_view text) {
  auto bytes = decode_base64(text);
  return bytes && encode_base64(*bytes) == text ? std::move(bytes) : std::nullopt;
}

bool announces_trailer(const RequestHead& head) {
  for (const auto& field : head.fields) {
    if (!base::equals_ignoring_case(field.name, "Trailer")) continue;
    std::string_view names = field.value;
    while (!names.empty()) {
      const auto end = std::min(names.find(','), names.size());
      if (base::equals_ignoring_case(base::trim(names.substr(0, end)), field_name)) return true;
      names.remove_prefix(std::min(end + 1, names.size()));
    }
  }
  return false;
}

}  // namespace

std::string_view checksum_algorithms() noexcept { return "sha1,md5,sha256,sha512,crc32,crc32c"; }

std::size_t digest_size(ChecksumAlgorithm algorithm) noexcept {
  return rows[std::to_underlying(algorithm)].size;
}

std::expected<Checksum, ErrorCode> parse_checksum(std::string_view value) {
  const auto space = value.find(' ');
  const auto name = value.substr(0, space);
  if (name.empty() || space == std::string_view::npos) {
    return std::unexpected(ErrorCode::invalid_checksum);
  }
  const auto row = std::ranges::find(rows, name, &Row::name);
  if (row == rows.end()) return std::unexpected(ErrorCode::checksum_algorithm_unsupported);
  auto digest = decode_strictly(value.substr(space + 1));
  if (!digest || digest->size() != row->size) return std::unexpected(ErrorCode::invalid_checksum);
  return Checksum{static_cast<ChecksumAlgorithm>(row - rows.begin()), std::move(*digest)};
}

std::expected<std::optional<ChecksumDemand>, ErrorCode> checksum_of(const RequestHead& head) {
  const auto* sent = head.fields.find(field_name);
  const bool announced = announces_trailer(head);
  if (sent != nullptr && announced) return std::unexpected(ErrorCode::invalid_checksum);
  if (announced) return ChecksumDemand();
  if (sent == nullptr) return std::nullopt;
  auto checksum = parse_checksum(*sent);
  if (!checksum) return std::unexpected(checksum.error());
  return ChecksumDemand(std::move(*checksum));
}

std::expected<Checksum, ErrorCode> settle_checksum(const ChecksumDemand& demand,
                                                   const Fields& trailers) {
  const auto count = trailers.count(field_name);
  if (count != (demand.known ? 0u : 1u)) return std::unexpected(ErrorCode::invalid_checksum);
  return demand.known ? *demand.known : parse_checksum(*trailers.find(field_name));
}

}  // namespace tus::protocol
