// What the errors of S3 and of those who speak like it mean for a caller. Pure.
#pragma once

#include "stores/s3/client/bucket.h"

#include <cstdint>
#include <string_view>

namespace tus::s3 {

// What may help.
enum class Again : std::uint8_t {
  never,
  later,            // the same request
  with_its_clock,   // signed with the time of the server
  with_other_keys,  // these have expired
};

struct Verdict {
  Trouble trouble = Trouble::unavailable;
  Again again = Again::never;

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// `code`: of the <Error> in the body; empty when there was no body, as after HEAD.
Verdict judge(int status, std::string_view code) noexcept;

// Whether a request that had an x-amz-checksum-... was refused for it.
bool is_about_checksum(int status, std::string_view code, std::string_view message) noexcept;

}  // namespace tus::s3
