// What S3, or whoever answers in its place, says in XML, and AWS's files: it is understood wholly or refused.
// [FUZZ-1] [FUZZ-2]
#include "fuzz/check.h"
#include "fuzz/targets.h"
#include "stores/s3/client/profile_files.h"
#include "stores/s3/client/text.h"
#include "stores/s3/client/xml.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tus::fuzz {

namespace {

std::size_t count_of(std::string_view text, std::string_view word) {
  std::size_t count = 0;
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1))
    ++count;
  return count;
}

void check_parts(std::string_view xml) {
  const auto page = s3::parse_parts(xml);
  if (!page) {
    require(!page.error().empty());
    return;
  }
  require(page->at_end || !page->parts.empty());
  std::uint32_t before = 0;
  std::vector<s3::PartTag> tags;
  for (const auto& part : page->parts) {
    require(part.number > before && part.number <= 10'000 && !part.etag.empty());
    before = part.number;
    tags.push_back({part.number, part.etag});
  }
  // Whatever an etag is, it stays inside of its element.
  const auto request = s3::complete_request(tags);
  require(count_of(request, "<") == 2 + 6 * tags.size());
}

}  // namespace

void s3_xml(std::string_view input) {
  const std::string xml(input);
  check_parts(xml);
  if (const auto page = s3::parse_objects(xml)) require(page->at_end || !page->objects.empty());
  if (const auto page = s3::parse_multiparts(xml)) {
    require(page->at_end || (!page->uploads.empty() && !page->upload_marker.empty()));
    for (const auto& upload : page->uploads) require(!upload.upload.empty());
  }
  if (const auto id = s3::parse_initiated(xml)) require(!id->empty());
  if (const auto etag = s3::parse_copied_part(xml)) require(!etag->empty());
  if (s3::parse_completed(xml)) require(!s3::error_within(xml));
  if (const auto error = s3::parse_error(xml)) {
    require(!error->code.empty());
    require(s3::error_within(xml).has_value());
  }
  if (const auto role = s3::parse_assumed_role(xml))
    require(!role->key_id.empty() && !role->secret.empty() && !role->token.empty());
  (void)s3::parse_sts_error(xml);
  if (const auto plain = s3::decode(input)) require(plain->size() <= input.size());
  require(s3::decode(s3::encode(input)) == input);
  (void)s3::parse_time(input);
}

void aws_config(std::string_view input) {
  const std::string text(input);
  for (const auto& [name, profile] : s3::parse_profiles(text)) {
    require(!name.contains('\n'));
    for (const auto& [key, value] : profile) {
      require(!key.contains('=') && !key.contains('\n') && !value.contains('\n'));
      require(std::ranges::none_of(key, [](char c) { return c >= 'A' && c <= 'Z'; }));
    }
  }
}

}  // namespace tus::fuzz
