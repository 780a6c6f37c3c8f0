// What is known of an upload in the bucket.
#pragma once

#include "stores/common/info_file.h"
#include "stores/s3/client/bucket.h"
#include "stores/s3/names.h"

#include <tus/upload_info.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tus::s3 {

// User metadata of `.part`, and of the object.
inline constexpr std::string_view rest_start_name = "tusd-start";
inline constexpr std::string_view mark_name = "tusd-upload";

struct StoredPart {
  std::uint64_t size = 0;
  std::string etag;
};

// The object `.part`: bytes that do not make a part yet. It says itself where they belong, so that one that
// is left from before is seen to be so.
struct Rest {
  static constexpr std::uint64_t behind_the_parts = ~0ull;  // until their list is here

  std::uint64_t start = 0;
  std::uint64_t size = 0;
  std::string etag;
  std::chrono::sys_seconds changed;
  // Of Go's tusd, behind parts that do not count: so it does not either.
  bool is_astray = false;

  std::uint64_t end() const noexcept { return start + size; }
};

// Where the bytes of an upload are.
struct Ledger {
  std::vector<StoredPart> parts;  // numbers 1, 2, ... as far as none is missing
  std::uint64_t parts_end = 0;    // the sum of their sizes
  // Parts with larger numbers, behind a gap: of a request that failed. They are emptied before the gap is
  // filled, so that they never count.
  std::vector<std::uint32_t> behind_gap;
  std::optional<Rest> rest;                         // as it lies there, whether it counts or not
  std::optional<std::chrono::sys_seconds> changed;  // when the youngest part was written

  bool rest_counts() const noexcept {
    return rest && !rest->is_astray && rest->start <= parts_end && rest->end() > parts_end;
  }
  std::uint64_t offset() const noexcept { return rest_counts() ? rest->end() : parts_end; }
  void add(StoredPart part) {
    parts_end += part.size;
    parts.push_back(std::move(part));
  }
};

struct State {
  stores::InfoFile file;  // with the offset that counts
  std::string etag;       // of the record
  std::string object;     // the object part of the id
  MultipartName data;     // where the data is, or is to be
  Ledger ledger;
  bool has_object = false;    // the multipart upload was completed
  bool has_multipart = true;  // it is there still
};

// Where the data of an upload is, by its record.
MultipartName data_of(const Names& names, const stores::InfoFile& file);

// Of the first part, which all others follow; 0 before it is planned. A request that nobody waits for any more,
// of a dead server too, may put a part at any time. It does no harm as long as every part of a number is as large
// as every other one.
std::uint64_t first_size(const State& state);

// Sets the offset, and when bytes last came.
void settle(State& state);

}  // namespace tus::s3
