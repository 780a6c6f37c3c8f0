// A digest over all bytes of an upload, as the service keeps it with the upload.
#pragma once

#include <tus/export.h>

#include <cstdint>
#include <string>

TUS_NAMESPACE_BEGIN

enum class WholeDigest : std::uint8_t { none, sha256 };

// Stores write both texts down and give them back; they are ASCII, and nobody but the service looks into
// `state`.
struct UploadDigest {
  std::string
      repr;  // of a finished upload, as in Repr-Digest (RFC 9530); empty when it was not made
  std::string
      state;  // of an unfinished one: what it takes to go on with the digest; empty when unknown

  friend bool operator==(const UploadDigest&, const UploadDigest&) = default;
};

TUS_NAMESPACE_END
