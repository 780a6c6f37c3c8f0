// Looks at all uploads in the directory.
#pragma once

#include "stores/file/context.h"
#include "stores/file/walk.h"

#include <tus/error.h>
#include <tus/store.h>

#include <optional>
#include <string>
#include <unordered_set>

namespace tus::file_store {

// A page is one short job of the pool. What is kept in memory is a page, and some names of left-overs.
class DirectoryScan final : public UploadScan {
 public:
  DirectoryScan(Context& context, ScanOptions options)
      : context_(context), idle_since_(options.idle_since) {}

  Awaitable<Result<ScanPage>> next(Deadline deadline) override;

 private:
  Result<ScanPage> page(std::span<std::byte> scratch);
  // Goes on with what is due: the walk over the uploads, then, if need be, the one for names in records.
  Status go_on(ScanPage& page, std::span<std::byte> scratch);
  void end_of_walk(ScanPage& page);
  Status visit(const Walk::Entry& entry, ScanPage& page, std::span<std::byte> scratch);
  Status visit_any(const Walk::Entry& entry, ScanPage& page, std::span<std::byte> scratch);
  Status visit_idle(const Walk::Entry& entry, ScanPage& page, std::span<std::byte> scratch);
  Status look_at_idle(const UploadId& id, ScanPage& page, std::span<std::byte> scratch);
  // One upload does not keep others from being seen.
  bool is_forbidden(const UploadId& id);
  Status visit_record(const Walk::Entry& entry, std::span<std::byte> scratch);

  Context& context_;
  const std::optional<std::chrono::sys_seconds> idle_since_;
  std::optional<Walk> walk_;
  bool looks_for_owners_ = false;  // the second walk
  // Old data files without a record beside them, by the last part of their names. Those that a record
  // names as its data are taken out by the second walk.
  std::unordered_set<std::string> ownerless_;
};

// Sizes of all files but records and our side files, and the number of records. Blocks.
Result<StoreUsage> measure(int root);

}  // namespace tus::file_store
