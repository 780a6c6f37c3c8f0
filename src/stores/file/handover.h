// What a clean stop takes out of records, so that another server can go on where this one has stopped.
#pragma once

#include "stores/file/records.h"

#include <tus/clock.h>
#include <tus/deadline.h>
#include <tus/file_store.h>
#include <tus/logger.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tus::file_store {

// Go's tusd appends to the data and leaves the record alone. A mark of ours would later take back what it
// has acknowledged, and a finish that is due would be done by it and again by us. So uploads whose
// records say such a thing are remembered, and a clean stop writes those records again without it.
//
// All calls may come from any thread; left() also when the store is gone, as an upload may be by mistake.
class Handover {
 public:
  // More than `most` uploads keep what their records say.
  Handover(Records& records, Layout& layout, FsyncPolicy fsync, Clock& clock,
           std::shared_ptr<Logger> logger, std::size_t most = 100'000)
      : records_(records),
        layout_(layout),
        fsync_(fsync),
        clock_(clock),
        logger_(std::move(logger)),
        most_(most) {}

  // An upload as this process has left it, under its lease.
  void left(const InfoFile& file, std::uint64_t data_size);
  // The same of one that was only looked at. Others may be writing to it, so that a tail that does not
  // count is not ours to judge: then it is not remembered.
  void seen(const Loaded& loaded);
  void forget(const UploadId& id);

  // Blocks on the disk. What the keeper could not make safe keeps its mark.
  void clean(Deadline deadline, std::span<std::byte> scratch);

 private:
  void remember(const UploadId& id, std::uint64_t data_size);
  // True when it has written the record.
  Result<bool> clean_one(const UploadId& id, std::uint64_t data_size, std::span<std::byte> scratch);
  void sync_directories_of(const std::vector<UploadId>& cleaned);

  Records& records_;
  Layout& layout_;
  const FsyncPolicy fsync_;
  Clock& clock_;
  std::shared_ptr<Logger> logger_;
  const std::size_t most_;

  std::mutex mutex_;
  std::unordered_map<UploadId, std::uint64_t> sizes_;  // of the data, when we saw it last
  bool full_ = false;
};

}  // namespace tus::file_store
