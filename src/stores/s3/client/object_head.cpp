#include "stores/s3/client/object_head.h"

#include "base/ascii.h"
#include "protocol/http_date.h"
#include "stores/s3/client/text.h"

#include <algorithm>

namespace tus::s3 {

namespace {

constexpr std::string_view metadata_prefix = "x-amz-meta-";

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), base::to_lower);
  return out;
}

// "bytes 0-9/100"
std::optional<std::uint64_t> whole_of(std::string_view content_range) {
  const auto slash = content_range.rfind('/');
  if (!content_range.starts_with("bytes ") || slash == std::string_view::npos) return std::nullopt;
  return parse_number(content_range.substr(slash + 1));
}

}  // namespace

Parsed<std::string> read_etag(const net::HttpReply& reply) {
  const auto* etag = reply.fields.find("ETag");
  if (etag == nullptr || etag->empty())
    return std::unexpected("there is no ETag: this is not an answer of S3");
  return *etag;
}

Parsed<ObjectLook> read_look(const net::HttpReply& reply) {
  auto etag = read_etag(reply);
  if (!etag) return std::unexpected(etag.error());
  ObjectLook look;
  look.etag = *std::move(etag);
  const auto* length = reply.fields.find(reply.status == 206 ? "Content-Range" : "Content-Length");
  const auto size = length == nullptr     ? std::nullopt
                    : reply.status == 206 ? whole_of(*length)
                                          : parse_number(*length);
  if (!size) return std::unexpected("the size of the object is not told");
  look.size = *size;
  if (const auto* modified = reply.fields.find("Last-Modified")) {
    const auto time = protocol::parse_http_date(*modified);
    if (!time) return std::unexpected("Last-Modified is no time");
    look.last_modified = *time;
  }
  for (const auto& [name, value] : reply.fields) {
    if (base::equals_ignoring_case(std::string_view(name).substr(0, metadata_prefix.size()),
                                   metadata_prefix))
      look.metadata.emplace_back(lower(std::string_view(name).substr(metadata_prefix.size())),
                                 value);
  }
  return look;
}

}  // namespace tus::s3
