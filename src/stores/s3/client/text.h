// Words of S3 as URLs and headers have them. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tus::s3 {

// Names and values as they are meant, not encoded.
using Query = std::vector<std::pair<std::string, std::string>>;

// All but A-Z a-z 0-9 - . _ ~ becomes %XX, as SigV4 has it.
std::string encode(std::string_view text);
// The same, but "/" stays: for keys in paths.
std::string encode_path(std::string_view key);
// Ordered and encoded as it is signed, and good enough to be sent.
std::string encode_query(const Query& query);
// Of what S3 has encoded (encoding-type=url): there "+" is a space. Nothing when it is malformed.
std::optional<std::string> decode(std::string_view text);

std::string hex(std::span<const unsigned char> bytes);
bool is_printable_ascii(std::string_view text) noexcept;
// The whole of `text` is a number.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept;
// "2009-10-12T17:50:30.000Z", with or without the fraction.
std::optional<std::chrono::sys_seconds> parse_time(std::string_view text) noexcept;

}  // namespace tus::s3
