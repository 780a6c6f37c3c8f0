#include "stores/file/resync.h"

#include <algorithm>
#include <cstddef>
#include <limits>
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

void Doubts::doubt(const UploadId& id, std::uint64_t to) {
  std::lock_guard lock(mutex_);
  auto& doubted = ends_[id];
  doubted = std::max(doubted, to);
}

bool Doubts::has(const UploadId& id) const {
  std::lock_guard lock(mutex_);
  return ends_.contains(id);
}

void Doubts::trust(const UploadId& id, std::uint64_t to) {
  std::lock_guard lock(mutex_);
  auto it = ends_.find(id);
  if (it != ends_.end() && it->second <= to) ends_.erase(it);
}

void Doubts::forget(const UploadId& id) { trust(id, std::numeric_limits<std::uint64_t>::max()); }

Status sync_surely(FileIo& io, Records& records, const InfoFile& file, int data, Unsynced bytes) {
  const auto& id = file.info.id;
  auto& doubts = records.doubts();
  if (!doubts.has(id)) {
    auto synced = io.sync_data(data);
    if (!synced) {
      // Also what somebody has appended meanwhile.
      auto size = io.size(data);
      doubts.doubt(id,
                   size ? std::max(*size, bytes.to) : std::numeric_limits<std::uint64_t>::max());
      records.log(LogLevel::error, "DataSyncFailed", id, synced.error());
    } else if (!doubts.has(id)) {  // nor has another sync been told of a failure in this moment
      return {};
    }
  }
  // As it may be open for writing only.
  auto both = records.open_data(file, O_RDWR);
  if (!both) return fail(both.error());
  if (auto written = write_again(io, both->get(), bytes); !written) return written;
  if (auto synced = io.sync_data(both->get()); !synced) return synced;
  // Where the file has no more than these bytes, none is left to doubt.
  auto size = io.size(both->get());
  if (size && *size <= bytes.to) {
    doubts.forget(id);
  } else {
    doubts.trust(id, bytes.to);
  }
  return {};
}

}  // namespace tus::file_store
