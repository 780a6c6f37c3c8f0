#include "stores/file/resync.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace tus::file_store {

namespace {

constexpr std::uint64_t piece = 256 << 10;

Status write_again(FileIo& io, int data, Unsynced bytes) {
  std::vector<std::byte> buffer(piece);
  for (auto at = bytes.from; at < bytes.to;) {
    auto wanted = std::span(buffer).first(std::min(piece, bytes.to - at));
    auto length = io.read(data, at, wanted);
    if (!length) return fail(length.error());
    if (*length != wanted.size()) return fail(ErrorCode::upload_damaged, "the data file is short");
    if (auto written = io.write(data, at, wanted); !written) return written;
    at += *length;
  }
  return {};
}

}  // namespace

Status sync_surely(FileIo& io, Records& records, const InfoFile& file, int data, Unsynced bytes) {
  auto synced = io.sync_data(data);
  if (synced) return synced;
  records.log(LogLevel::error, "DataSyncFailed", file.info.id, synced.error());
  // As it may be open for writing only.
  auto both = records.open_data(file, O_RDWR);
  if (!both) return fail(both.error());
  if (auto written = write_again(io, both->get(), bytes); !written) return written;
  return io.sync_data(both->get());
}

}  // namespace tus::file_store
