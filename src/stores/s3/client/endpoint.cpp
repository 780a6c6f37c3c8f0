#include "stores/s3/client/endpoint.h"

#include "base/ascii.h"
#include "stores/s3/client/text.h"

#include <algorithm>

namespace tus::s3 {

namespace {

bool take_scheme(std::string_view& url, std::string_view scheme) {
  if (!base::equals_ignoring_case(url.substr(0, scheme.size()), scheme)) return false;
  url.remove_prefix(scheme.size());
  return true;
}

// What is left is a host, perhaps a port.
bool is_authority(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return base::is_alpha(c) || base::is_digit(c) || std::string_view("-._:[]").contains(c);
  });
}

// As the name of a host, and under the certificate for *.s3.amazonaws.com.
bool fits_a_host_name(std::string_view bucket) {
  return bucket.size() >= 3 && bucket.size() <= 63 && bucket.front() != '-' &&
         bucket.back() != '-' && std::ranges::all_of(bucket, [](char c) {
           return (c >= 'a' && c <= 'z') || base::is_digit(c) || c == '-';
         });
}

bool is_region(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return base::is_alpha(c) || base::is_digit(c) || c == '-' || c == '_'; });
}

}  // namespace

std::expected<Endpoint, std::string> Endpoint::make(const EndpointOptions& options) {
  Endpoint made;
  made.addressing_ = options.addressing;
  if (!is_region(options.region))
    return std::unexpected("the region \"" + options.region + "\" is none: set AWS_REGION");
  if (options.url.empty()) {
    if (options.region.empty())
      return std::unexpected("AWS needs a region: set AWS_REGION, or -s3-endpoint for another S3");
    made.aws_ = true;
    made.https_ = !options.disable_ssl;
    made.accelerated_ = options.transfer_acceleration;
    const std::string_view suffix = options.region.starts_with("cn-") ? ".cn" : "";
    made.host_ = (made.accelerated_ ? "s3-accelerate" : "s3." + options.region) + ".amazonaws.com" +
                 std::string(suffix);
    return made;
  }
  if (options.transfer_acceleration)
    return std::unexpected(
        "-s3-transfer-acceleration is AWS's: it cannot be had with -s3-endpoint");

  std::string_view url = options.url;
  made.https_ = !options.disable_ssl;
  if (take_scheme(url, "https://")) {
    made.https_ = true;
  } else if (take_scheme(url, "http://")) {
    made.https_ = false;
  }
  const auto authority = url.substr(0, url.find('/'));
  auto path = url.substr(authority.size());
  while (path.ends_with('/')) path.remove_suffix(1);
  if (!is_authority(authority) || path.find_first_of("?#") != std::string_view::npos)
    return std::unexpected("-s3-endpoint \"" + options.url +
                           "\" is not a URL like https://s3.example.com:9000");
  const std::string_view port = made.https_ ? ":443" : ":80";
  made.host_ =
      authority.ends_with(port) ? authority.substr(0, authority.size() - port.size()) : authority;
  // What is encoded already stays as it is.
  made.prefix_ = path;
  return made;
}

bool Endpoint::by_host(std::string_view bucket) const noexcept {
  switch (addressing_) {
    case Addressing::by_path:
      return false;
    case Addressing::by_host:
      return true;
    case Addressing::automatic:
      break;
  }
  return aws_ && fits_a_host_name(bucket);
}

Target Endpoint::target(std::string_view bucket, std::string_view key) const {
  Target target;
  target.path = prefix_;
  if (by_host(bucket)) {
    target.host = std::string(bucket) + "." + host_;
  } else {
    target.host = host_;
    target.path += "/" + encode(bucket);
  }
  if (!key.empty() || target.path.empty()) target.path += "/" + encode_path(key);
  return target;
}

std::string Endpoint::url(const Target& target, std::string_view query) const {
  auto url = (https_ ? "https://" : "http://") + target.host + target.path;
  if (!query.empty()) url += "?" + std::string(query);
  return url;
}

std::string Endpoint::text() const { return (https_ ? "https://" : "http://") + host_ + prefix_; }

}  // namespace tus::s3
