// Syncing data of which the disk has perhaps lost a part.
#pragma once

#include "stores/file/records.h"

#include <cstdint>

namespace tus::file_store {

// Bytes of an upload's data: all below `from` were synced before.
struct Unsynced {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

// fdatasync(2) of `data`. The kernel tells of a failure once, and calls the pages clean afterwards, so that
// a second call would succeed without them. So they are written again, from the cache where they still
// are, and only a sync after that makes them safe; when that fails too, so does the next call begin. Blocks.
// The bytes must count, so that nobody changes them meanwhile.
Status sync_surely(FileIo& io, Records& records, const InfoFile& file, int data, Unsynced bytes);

}  // namespace tus::file_store
