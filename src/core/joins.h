// What is known about final uploads whose parts are not in them yet, and about those parts.
#pragma once

#include <tus/handler.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace tus::core {

// The parts of one final upload, as they are now.
struct Survey {
  Survey() = default;

  std::optional<std::uint64_t> length;  // of all together; nothing until each has one
  std::vector<UploadId> finished;       // each once
  bool all_finished = true;
  std::optional<std::chrono::sys_seconds> last_activity;  // of the newest part
};

// Which joins are pending is a fact of the store, so that it outlives us and other servers know it, too. What is
// kept here is only who needs whom, which never changes. Any executor.
class Joins {
 public:
  Joins(const HandlerOptions& options, const HandlerParts& parts)
      : options_(options), parts_(parts) {}

  // `upload` is a final one. Errors: part_gone (also one that has expired), invalid_concat (not a partial upload), upload_finish_failed (a part
  // was given up), max_size_exceeded (the sum; not of an upload whose length is on record), and the store's.
  Awaitable<Result<Survey>> survey(UploadInfo upload);
  // The same for a final upload that was just made. A DELETE that has a part in hand, and has looked for
  // pending joins before there was this one, is waited for; the next one finds it.
  Awaitable<Result<Survey>> survey_pinned(UploadInfo upload);

  // The final uploads that still need the bytes of this part.
  Awaitable<Result<std::vector<UploadId>>> needing(UploadId part);
  // Whether a join needs the part that nothing stands in the way of any more. (One that waits for other parts does
  // not keep its client from giving it up.)
  Awaitable<Result<bool>> is_pinned(UploadId part);

 private:
  using Names = std::unordered_set<std::string>;

  Awaitable<Status> learn(std::vector<UploadId> pending);
  std::vector<UploadId> forget_others(const std::vector<UploadId>& pending);
  Awaitable<Result<bool>> wait_for_holders(const std::vector<UploadId>& parts);
  Deadline store_deadline() const;

  const HandlerOptions& options_;
  const HandlerParts& parts_;
  std::mutex mutex_;
  std::unordered_map<UploadId, std::shared_ptr<const Names>> known_;
};

}  // namespace tus::core
