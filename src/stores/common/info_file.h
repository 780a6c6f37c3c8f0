// The contents of an .info file: Go tusd's JSON, with what only we know in the object "Tusd". Pure.
#pragma once

#include <tus/error.h>
#include <tus/upload_info.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tus::stores {

// How much of the data file is known to survive a power cut.
struct DurableMark {
  std::uint64_t offset = 0;
  std::string boot_id;  // of the machine when bytes beyond `offset` were written
  // Nothing beyond `offset` was ever acknowledged (fsync=always), so it is the offset at any time.
  bool strict = false;
};

// What a store in a bucket has to know beside that.
struct BucketRecord {
  std::string
      multipart;  // S3's id of the multipart upload, where the upload's own id does not end with it
  std::string
      mark;  // in the metadata of the object, to tell it from one that somebody else has put there
  std::string claim;       // of the last writer, so that no two versions of a record are alike
  std::uint64_t safe = 0;  // the offset when the record was written: it is at least that
  bool going = false;      // being terminated: no upload any more
  // Of the first part, in bytes, known before that is sent; 0: none was, or the list of parts says it.
  std::uint64_t part_size = 0;
  bool doubles = false;  // later parts follow the rule for an unknown length, also once it is known

  friend bool operator==(const BucketRecord&, const BucketRecord&) = default;
};

struct InfoFile {
  UploadInfo info;                             // its offset is not in the file: see counted_size()
  std::optional<std::uint64_t> pending_start;  // bytes beyond it await commit_staged()
  std::optional<DurableMark> durable;
  // Of a pending join: of the machine when its bytes were written; empty before the first of them.
  std::string join_boot_id;
  BucketRecord bucket;
  std::string named;  // "ID" in the text; not written
  // Members that we do not know, ready to be written again: `,"Key":value...`
  std::string unknown;
  std::string unknown_tusd;
};

// Error: upload_damaged, whatever the text is. `id` is the name under which the text was found.
Result<InfoFile> parse_info(std::string_view text, UploadId id);

std::string write_info(const InfoFile& file);

// The bytes of a data file of `data_size` that count, as seen by a machine with `boot_id`.
std::uint64_t counted_size(const InfoFile& file, std::uint64_t data_size, std::string_view boot_id);

// Upload-Metadata as a client would have sent these pairs.
std::string raw_of_metadata(const Metadata& metadata);

}  // namespace tus::stores
