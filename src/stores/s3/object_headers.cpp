#include "stores/s3/object_headers.h"

#include "base/ascii.h"
#include "stores/s3/state.h"

#include <algorithm>
#include <string_view>

namespace tus::s3 {

namespace {

constexpr std::size_t most_metadata = 2048;  // bytes of names and values

bool is_token_char(char c) {
  return base::is_alpha(c) || base::is_digit(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

bool is_printable(char c) { return c >= 0x20 && c < 0x7F; }

// What a header value may be: no space at its ends either.
std::string header_value(std::string_view text) {
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // One '?' for a character of several bytes, as Go's regular expression has it.
    if ((static_cast<unsigned char>(c) & 0xC0) == 0x80) continue;
    value.push_back(is_printable(c) ? c : '?');
  }
  const auto first = value.find_first_not_of(' ');
  if (first == std::string::npos) return "";
  return value.substr(first, value.find_last_not_of(' ') - first + 1);
}

// type/subtype, and parameters that end no line.
bool is_media_type(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || !std::ranges::all_of(text, is_printable)) return false;
  const auto end = std::min(text.find_first_of("; "), text.size());
  return slash < end && is_token(text.substr(0, slash)) &&
         is_token(text.substr(slash + 1, end - slash - 1));
}

}  // namespace

ObjectHeaders object_headers(const StoreOptions& options, const Metadata& metadata,
                             const std::string& mark) {
  ObjectHeaders headers;
  headers.cache_control = options.cache_control;
  headers.content_disposition = options.content_disposition;
  headers.storage_class = options.storage_class;
  headers.metadata.emplace_back(mark_name, mark);
  auto used = mark_name.size() + mark.size();
  for (const auto& [name, text] : metadata) {
    if (name == "filetype" && is_media_type(text)) headers.content_type = text;
    auto value = header_value(text);
    const auto size = name.size() + value.size();
    // Names differ by more than case, and nobody else sets our mark.
    const auto is_same = [&name](const auto& pair) {
      return base::equals_ignoring_case(pair.first, name);
    };
    const bool taken = std::ranges::any_of(headers.metadata, is_same);
    if (!is_token(name) || taken || used + size > most_metadata) continue;
    used += size;
    headers.metadata.emplace_back(name, std::move(value));
  }
  return headers;
}

}  // namespace tus::s3
