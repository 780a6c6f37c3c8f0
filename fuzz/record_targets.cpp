// Files in the upload directory, which others may have written or damaged: reading them never fails in another way than
// it says, and what was read survives being written.
// [FUZZ-1] [FUZZ-2]
#include "base/json_text.h"
#include "fuzz/check.h"
#include "fuzz/targets.h"
#include "lockers/file/lock_text.h"
#include "stores/common/info_file.h"
#include "stores/file/layout.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace tus::fuzz {

namespace {

// Where the data of an upload is looked for when its directory was moved.
void check_place(const UploadInfo& info) {
  const auto inside = file_store::Layout::inside_old_directory(info);
  if (!inside) return;
  require(!inside->empty() && !inside->starts_with('/') && !inside->ends_with('/'));
  const auto path = "/" + *inside + "/";
  require(!path.contains("/../") && !path.contains("/./") && !path.contains("//"));
  require(!path.starts_with("/.tusd/") && !path.contains('\0'));
}

void check_same(const stores::InfoFile& a, const stores::InfoFile& b) {
  require(a.info.length == b.info.length);
  require(a.info.raw_metadata == b.info.raw_metadata);
  require(a.info.raw_concat == b.info.raw_concat);
  require(a.info.finish == b.info.finish);
  require(a.info.is_partial == b.info.is_partial && a.info.is_final == b.info.is_final);
  require(a.info.partial_uploads.size() == b.info.partial_uploads.size());
  require(a.pending_start == b.pending_start);
  require(a.info.join_pending == b.info.join_pending);
  require(a.durable.has_value() == b.durable.has_value());
}

// What JSON does not allow in a string.
bool has_no_controls(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

}  // namespace

// A .info file.
void info_file(std::string_view input) {
  const auto id = *UploadId::parse("some/id");
  const std::string text(input);
  const auto file = stores::parse_info(text, id);
  if (!file) {
    require(file.error() == ErrorCode::upload_damaged);
    return;
  }
  require(file->info.id == id);
  require(fits_a_header(file->info.raw_metadata) && fits_a_header(file->info.raw_concat));
  require(!file->info.length || *file->info.length <= std::uint64_t{1} << 63);
  check_place(file->info);
  // Whatever a record says, no more bytes count than there are.
  for (const std::uint64_t size : {0u, 1u, 100u}) {
    for (const auto* boot : {"", "boot", "b"}) {
      require(stores::counted_size(*file, size, boot) <= size);
    }
  }

  const auto written = stores::write_info(*file);
  const auto again = stores::parse_info(written, id);
  require(again.has_value());
  check_same(*again, *file);
  require(stores::counted_size(*again, 100, "boot") == stores::counted_size(*file, 100, "boot"));
  // What was not UTF-8 has been replaced by the first writing; from then on nothing changes.
  const auto settled = stores::write_info(*again);
  const auto third = stores::parse_info(settled, id);
  require(third && stores::write_info(*third) == settled);
  require(third->info.partial_uploads == again->info.partial_uploads);
}

// Bytes that become a JSON string, and the way back.
void json_text(std::string_view input) {
  const std::string text(input);
  std::string json;
  base::append_json_string(json, text);
  require(json.size() >= 2 && json.front() == '"' && json.back() == '"');
  require(base::is_utf8(json) && has_no_controls(json));
  if (base::is_utf8(text)) {
    if (const auto bytes = base::bytes_of_text(text)) require(bytes->size() <= text.size());
  }
  std::string bytes;
  base::append_json_bytes(bytes, text);
  require(base::is_utf8(bytes) && has_no_controls(bytes));
  // A record that holds these bytes gives them back.
  const auto id = *UploadId::parse("a");
  const auto file = stores::parse_info(
      R"({"ID":"a","Size":0,"MetaData":{},"Tusd":{"RawMetadata":)" + bytes + "}}", id);
  if (fits_a_header(text)) require(file && file->info.raw_metadata == text);
}

// A lock file, or the record of a process.
void lock_file(std::string_view input) {
  using file_locker::LockText;
  const std::string text(input);
  const auto lock = file_locker::parse_lock_text(text);
  require((lock.kind == LockText::Kind::garbage) == (lock.pid <= 0));
  if (lock.kind == LockText::Kind::garbage) return;
  const auto written = file_locker::write_lock_text(lock);
  // What Go's package reads is the first line.
  require(written.starts_with(std::to_string(lock.pid) + "\n"));
  const auto again = file_locker::parse_lock_text(written);
  require(again.kind == lock.kind && again.pid == lock.pid);
  require(again.boot_id == lock.boot_id && again.start_time == lock.start_time);
  require(file_locker::write_lock_text(again) == written);
  require(!lock.boot_id.contains('\n') && !lock.start_time.contains('\n'));
}

}  // namespace tus::fuzz
