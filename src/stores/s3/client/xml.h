// What S3 says in XML, and what it is told in it. Pure.
//
// Nothing is guessed: an answer without what it must have is an error, a sentence for the log.
#pragma once

#include "stores/s3/client/bucket.h"

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tus::s3 {

template <class T>
using Parsed = std::expected<T, std::string>;

// An answer of the kind <Error>.
struct ErrorDocument {
  std::string code;
  std::string message;
  std::string request_id;
  std::string region;  // the right one, where the region was wrong
};

// Error: this is no answer of S3's, as that of a proxy.
Parsed<ErrorDocument> parse_error(std::string_view xml);

// Nothing: the document is another one, or none. For answers with the status 200.
std::optional<ErrorDocument> error_within(std::string_view xml);

// Keys and markers come encoded (encoding-type=url), and are decoded here.
Parsed<PartPage> parse_parts(std::string_view xml);
Parsed<ObjectPage> parse_objects(std::string_view xml);
Parsed<MultipartPage> parse_multiparts(std::string_view xml);

Parsed<std::string> parse_initiated(std::string_view xml);    // the multipart upload's id
Parsed<std::string> parse_copied_part(std::string_view xml);  // the part's etag
Parsed<void> parse_completed(std::string_view xml);

// Of STS: AssumeRoleWithWebIdentity.
struct AssumedRole {
  std::string key_id;
  std::string secret;
  std::string token;
  std::chrono::sys_seconds expires;
};
Parsed<AssumedRole> parse_assumed_role(std::string_view xml);
// Its errors are inside of <ErrorResponse>.
Parsed<ErrorDocument> parse_sts_error(std::string_view xml);

std::string complete_request(std::span<const PartTag> parts);

}  // namespace tus::s3
