// What is known about an upload, in any store and for any protocol.
#pragma once

#include <tus/upload_digest.h>
#include <tus/upload_id.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

TUS_NAMESPACE_BEGIN

// Parsed Upload-Metadata in the order of the header; values are arbitrary bytes.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// How far an upload is on its way from "all bytes are here" to "finished". Finishing is explicit
// wherever anything has to happen at the end (fsync, completing a multipart upload, a blocking hook).
enum class FinishState : std::uint8_t {
  derived,    // nothing has to happen at the end: finished as soon as offset == length
  pending,    // a finish is due, or running, once offset == length
  finished,   // recorded as finished
  abandoned,  // given up after the last attempt; an operator has to look
};

struct UploadInfo {
  UploadId id;
  std::optional<std::uint64_t> length;  // bytes; nothing while deferred
  std::uint64_t offset = 0;             // bytes that a client may be told
  std::string raw_metadata;             // Upload-Metadata as the client sent it
  Metadata metadata;                    // the pairs of it that could be parsed
  std::string raw_concat;               // Upload-Concat as the client sent it
  bool is_partial = false;
  bool is_final = false;
  std::vector<std::string> partial_uploads;  // ids of the parts, of a final upload
  std::map<std::string, std::string>
      storage;  // where the bytes are; keys as tusd's (Type, Path, ...)
  FinishState finish = FinishState::derived;
  UploadDigest digest;
  // Made by the service, and the same as long as the upload is there: tells it from others that have its id
  // before or after. Empty where nobody needs it, and of uploads of others.
  std::string creation_id;
  // When bytes last came, or when it was created: what an expiry counts from. Nothing where the store does
  // not know it; then it does not expire.
  std::optional<std::chrono::sys_seconds> last_activity;
  // A final upload whose parts are not in it yet. Its offset is 0 until all of them are.
  bool join_pending = false;

  bool has_all_bytes() const noexcept { return !join_pending && length && *length == offset; }
  bool finished() const noexcept {
    return finish == FinishState::finished || (finish == FinishState::derived && has_all_bytes());
  }
  bool finishing() const noexcept { return finish == FinishState::pending && has_all_bytes(); }
};

// What a new upload starts with. `id` is already validated.
struct UploadDraft {
  UploadDraft() = default;

  UploadId id;
  std::optional<std::uint64_t> length;
  std::string raw_metadata;
  Metadata metadata;
  std::string raw_concat;
  bool is_partial = false;
  // Not empty: a final upload, whose join is pending from the beginning. Ids of its parts, in order.
  std::vector<std::string> partial_uploads;
  std::map<std::string, std::string> storage;  // wishes of a hook, e.g. Path
  // derived or pending. `finished` only together with first bytes that complete the upload: the store
  // then makes it as safe as finish() would before create() returns.
  FinishState finish = FinishState::derived;
  UploadDigest digest;
  std::string creation_id;
  std::string place;  // by Store::place(): the store's own business; empty: it needs none
};

// What a store keeps of a new upload: all of the draft, and no bytes yet. Pure.
TUS_EXPORT UploadInfo info_of(UploadDraft draft);

TUS_NAMESPACE_END
