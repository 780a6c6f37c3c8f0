// What the uploads of a store share.
#pragma once

#include "stores/s3/budget.h"
#include "stores/s3/chunk_pool.h"
#include "stores/s3/look.h"
#include "stores/s3/names_in_making.h"
#include "stores/s3/options.h"
#include "stores/s3/over_records.h"
#include "stores/s3/warm_uploads.h"

#include <tus/clock.h>
#include <tus/logger.h>
#include <tus/s3_metrics.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace tus::s3 {

// So many bytes that are being sent, as long as it lives.
class [[nodiscard]] Sending {
 public:
  Sending(std::atomic<std::uint64_t>& all, std::uint64_t bytes) noexcept
      : all_(all), bytes_(bytes) {
    all_.fetch_add(bytes_, std::memory_order_relaxed);
  }
  ~Sending() { all_.fetch_sub(bytes_, std::memory_order_relaxed); }
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;

 private:
  std::atomic<std::uint64_t>& all_;
  const std::uint64_t bytes_;
};

struct Context {
  Context(std::shared_ptr<Bucket> b, StoreOptions o, std::shared_ptr<Clock> c,
          std::shared_ptr<Logger> l, std::shared_ptr<S3Metrics> m = nullptr);

  bool alone() const noexcept { return options.instances == Instances::one; }
  std::chrono::sys_seconds wall() const;
  // For one request with so many bytes: a slow line may need its time for them.
  Deadline deadline(std::uint64_t bytes = 0) const;
  // For a look at what a failed request has left: half of the usual, for the request has had its time.
  Deadline deadline_after_failure() const;
  // Of `memory`: none when the deadline passes first. Waits are told.
  Awaitable<Room> hold(std::uint64_t bytes, Deadline deadline);
  S3Figures figures() const noexcept;
  // Differs from all others, of other processes too.
  std::string new_claim();
  // Whether the last version of a record is ours: then nobody has begun to write behind it. Without that, somebody may
  // be in the middle of it, and a record that stays as it is says nothing.
  bool is_ours(const stores::InfoFile& record) const;

  const std::shared_ptr<Bucket> bucket_owner;
  Bucket& bucket;
  const StoreOptions options;
  const std::shared_ptr<Clock> clock;
  const std::shared_ptr<Logger> logger;
  const std::shared_ptr<S3Metrics> metrics;  // may be null
  const Names names;
  Looker looker;
  Budget memory;
  ChunkPool chunks;
  Budget slots;                            // requests that carry parts
  std::atomic<std::uint64_t> sending = 0;  // bytes; see Sending
  WarmUploads warm;
  OverRecords over;
  NamesInMaking making;
  // Some S3s do not know If-Match for what is written; found out by the first answer.
  std::atomic<bool> knows_conditions = true;

  // Objects `.part` that count no more: what Go's tusd would still count. Removed at the latest by close().
  void rest_is_stale(const std::string& object);
  void rest_is_valid(const std::string& object);
  std::set<std::string> take_stale_rests();

 private:
  const std::string instance_;
  std::atomic<std::uint64_t> claims_ = 0;
  std::mutex stale_mutex_;
  std::set<std::string> stale_rests_;
};

}  // namespace tus::s3
