// Digests over all bytes of uploads, made while the bytes come. See docs/adr/0018-running-digest.md.
#pragma once

#include "core/running_digest.h"

#include <tus/handler.h>

#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

namespace tus::core {

// All calls may come from any executor, concurrently for different uploads.
class WholeDigests {
 public:
  // Both must outlive this.
  WholeDigests(const HandlerOptions& options, const HandlerParts& parts);

  bool on() const noexcept { return on_; }

  // Of a new upload, with the bytes that it begins with.
  void start(UploadDraft& draft, std::span<const std::byte> first);

  // The digest of all that the upload has, for an observer of the next bytes. Nothing: there is none, and it
  // is made at the finish by reading the upload.
  Awaitable<std::optional<RunningDigest>> resume(Upload& upload, const Lease& lease);

  // Upload::append, with the digest going on.
  Awaitable<AppendOutcome> append(Upload& upload, const Lease& lease, BodySource& source,
                                  AppendRequest request);

  // For an append that is committed by another call: hands the digest to the store before, remembers it after.
  static void hand_over(Upload& upload, const RunningDigest& running);
  void remember(RunningDigest running);

  // Before an upload with all its bytes is recorded as finished. Idempotent.
  Awaitable<Status> complete(Upload& upload, const Lease& lease);

 private:
  Awaitable<AppendOutcome> append_hashed(Upload& upload, const Lease& lease, BodySource& source,
                                         AppendRequest request);
  Awaitable<void> keep(Upload& upload, const Lease& lease, RunningDigest running);
  // The newest that is known and not ahead of the upload.
  std::optional<RunningDigest> newest(const UploadInfo& info);
  void forget(const std::string& name);
  Awaitable<Status> read_up_to(const UploadId& id, RunningDigest& running, std::uint64_t end);
  Deadline store_deadline() const;

  const HandlerOptions& options_;
  const HandlerParts& parts_;
  const bool on_;
  std::mutex mutex_;
  std::list<RunningDigest> recent_;  // the newest first
  std::unordered_map<std::string, std::list<RunningDigest>::iterator> by_name_;
};

}  // namespace tus::core
