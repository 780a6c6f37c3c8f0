// Any .info file: reading it must not crash, and what was read must survive being written.
#include "stores/file/info_file.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool fits_a_header(std::string_view value) {
  return std::ranges::none_of(value, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tus;
  const auto id = *UploadId::parse("some/id");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = file_store::parse_info(text, id);
  if (!file) {
    require(file.error() == ErrorCode::upload_damaged);
    return 0;
  }
  require(fits_a_header(file->info.raw_metadata) && fits_a_header(file->info.raw_concat));
  require(!file->info.length || *file->info.length <= std::uint64_t{1} << 63);

  const auto written = file_store::write_info(*file);
  const auto again = file_store::parse_info(written, id);
  require(again.has_value());
  require(again->info.length == file->info.length);
  require(again->info.raw_metadata == file->info.raw_metadata);
  require(again->info.raw_concat == file->info.raw_concat);
  require(again->info.finish == file->info.finish);
  require(again->pending_start == file->pending_start);
  require(again->info.join_pending == file->info.join_pending);
  require(again->durable.has_value() == file->durable.has_value());
  require(file_store::counted_size(*again, 100, "boot") ==
          file_store::counted_size(*file, 100, "boot"));
  // What was not UTF-8 has been replaced by the first writing; from then on nothing changes.
  const auto settled = file_store::write_info(*again);
  const auto third = file_store::parse_info(settled, id);
  require(third && file_store::write_info(*third) == settled);
  return 0;
}
