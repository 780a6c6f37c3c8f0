// What Go's tusd 2 makes of a bucket, by the rules of its s3store: so that a test can tell whether it can go on with
// what we leave.
#pragma once

#include "stores/s3/client/memory_bucket_test_kit.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tus::s3::test {

class GoTusd {
 public:
  // Prefixes are empty; parts as large as the bucket wants them.
  GoTusd(MemoryBucket& bucket, std::string name, std::uint64_t smallest, std::uint64_t preferred)
      : bucket_(bucket), name_(std::move(name)), smallest_(smallest), preferred_(preferred) {}

  // What HEAD tells. Nothing: there is no such upload.
  Awaitable<std::optional<std::uint64_t>> offset(std::string id);
  // A PATCH at that offset; it completes the upload with its last byte. False: 500, or S3 refuses.
  Awaitable<bool> append(std::string id, std::string bytes);

 private:
  struct Seen {
    MultipartName upload;
    std::string rest;  // name of the object `.part`
    std::optional<std::uint64_t> size;
    std::uint64_t offset = 0;
    std::vector<PartLook> parts;
    std::uint64_t rest_size = 0;
    bool has_multipart = false;
  };
  Awaitable<std::optional<Seen>> look(std::string id);
  Awaitable<bool> upload_parts(Seen& seen, std::uint64_t offset, std::string_view bytes);
  Awaitable<bool> finish(const Seen& seen);

  MemoryBucket& bucket_;
  const std::string name_;
  const std::uint64_t smallest_;
  const std::uint64_t preferred_;
};

}  // namespace tus::s3::test
