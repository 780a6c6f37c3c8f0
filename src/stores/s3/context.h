// What the uploads of a store share.
#pragma once

#include "stores/s3/budget.h"
#include "stores/s3/chunk_pool.h"
#include "stores/s3/look.h"
#include "stores/s3/options.h"
#include "stores/s3/over_records.h"
#include "stores/s3/warm_uploads.h"

#include <tus/clock.h>
#include <tus/logger.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace tus::s3 {

struct Context {
  Context(std::shared_ptr<Bucket> b, StoreOptions o, std::shared_ptr<Clock> c,
          std::shared_ptr<Logger> l);

  bool alone() const noexcept { return options.instances == Instances::one; }
  std::chrono::sys_seconds wall() const;
  // For one request with so many bytes: a slow line may need its time for them.
  Deadline deadline(std::uint64_t bytes = 0) const;
  // Differs from all others, of other processes too.
  std::string new_claim();

  const std::shared_ptr<Bucket> bucket_owner;
  Bucket& bucket;
  const StoreOptions options;
  const std::shared_ptr<Clock> clock;
  const std::shared_ptr<Logger> logger;
  const Names names;
  Looker looker;
  Budget memory;
  ChunkPool chunks;
  Budget slots;  // requests that carry parts
  WarmUploads warm;
  OverRecords over;
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
