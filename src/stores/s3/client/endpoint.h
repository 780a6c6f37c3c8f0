// Where requests for a bucket go. Pure.
#pragma once

#include "stores/s3/client/bucket.h"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tus::s3 {

enum class Addressing : std::uint8_t {
  automatic,  // by path with an endpoint, by host with AWS
  by_path,    // https://host/bucket/key
  by_host,    // https://bucket.host/key
};

struct EndpointOptions {
  std::string url;     // of an S3 that is not AWS; "https://" may be left out; may have a path
  std::string region;  // needed for AWS
  Addressing addressing = Addressing::automatic;
  bool transfer_acceleration = false;  // AWS
  bool disable_ssl = false;            // for URLs without a scheme, and AWS
};

struct Target {
  std::string host;  // with the port where it is not that of the scheme; the value of Host
  std::string path;  // encoded
};

class Endpoint {
 public:
  // Error: a sentence that tells the operator what to change.
  static std::expected<Endpoint, std::string> make(const EndpointOptions& options);

  // Empty key: the bucket.
  Target target(std::string_view bucket, std::string_view key) const;
  std::string url(const Target& target, std::string_view query) const;

  bool is_https() const noexcept { return https_; }
  bool is_aws() const noexcept { return aws_; }
  // For people.
  std::string text() const;

 private:
  Endpoint() = default;
  bool by_host(std::string_view bucket) const noexcept;

  bool https_ = true;
  bool aws_ = false;
  bool accelerated_ = false;
  Addressing addressing_ = Addressing::automatic;
  std::string host_;
  std::string prefix_;  // "" or "/a/b", encoded
};

}  // namespace tus::s3
