// How a store uses its bucket.
#pragma once

#include "stores/s3/part_plan.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tus::s3 {

// Who else may change uploads in the bucket.
enum class Instances : std::uint8_t {
  several,  // what this process remembers of an upload is checked before it is relied on
  one,      // nobody: what is remembered is true
};

struct StoreOptions {
  StoreOptions() = default;

  std::string bucket;
  std::string object_prefix;    // of all objects; a '/' is put behind it when it has none
  std::string metadata_prefix;  // of what is not data; empty: object_prefix
  std::string storage_class;    // of data; empty: the bucket's default
  std::string cache_control;
  std::string content_disposition;
  PartLimits parts;
  std::uint64_t max_memory = 256ull << 20;  // bytes of uploads that are held at once
  std::size_t chunk = 64 << 10;             // in pieces of so many bytes
  unsigned parts_in_flight = 10;            // of all uploads
  unsigned parts_of_an_upload = 20;         // of them, and waiting
  std::size_t remembered = 10'000;          // uploads whose state is kept between requests
  // One request to the bucket, with its repetitions; more for one that carries much.
  std::chrono::milliseconds request_timeout{60'000};
  std::chrono::milliseconds stalled_after{
      1000};  // then bytes that make no part yet are put into the bucket
  Instances instances = Instances::several;
};

}  // namespace tus::s3
