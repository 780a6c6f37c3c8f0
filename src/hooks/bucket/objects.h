// The objects of an outbox in a bucket, one request a call.
#pragma once

#include "hooks/bucket/keys.h"
#include "stores/s3/client/bucket.h"

#include <tus/async.h>
#include <tus/clock.h>
#include <tus/deadline.h>
#include <tus/error.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tus::hooks {

// Where an outbox is.
struct BucketPlace {
  std::shared_ptr<s3::Bucket> bucket;
  std::string name;    // of the bucket
  std::string prefix;  // of all keys, with its '/'
};

// Errors: upload_not_found when there is no such object, no_space, store_unavailable.
class Objects {
 public:
  Objects(BucketPlace place, std::shared_ptr<Clock> clock, std::chrono::milliseconds patience);

  const Keys keys;
  Clock& clock() const noexcept { return *clock_; }
  // For one request that no client waits for.
  Deadline deadline() const { return Deadline::after(clock_->now(), patience_); }

  Awaitable<Status> put(std::string key, std::string text, Deadline deadline);
  Awaitable<Result<std::string>> get(std::string key, Deadline deadline);
  // Also when it is gone.
  Awaitable<Status> remove(std::string key, Deadline deadline);
  // Each page has a deadline of its own. False from `see`: enough.
  Awaitable<Status> list(std::string prefix, std::function<bool(const s3::ListedObject&)> see);

  // ---- objects of runs, whose etag says whether they were touched

  struct Run {
    std::string text;
    std::string etag;
  };
  // Nothing when it is not there.
  Awaitable<Result<std::optional<Run>>> get_run(std::string id, Deadline deadline);
  // Puts it if it still has that etag; without one, if it is not there. Its new etag, or nothing: it is another one by
  // now. Where S3 knows no conditions two may both have done it.
  Awaitable<Result<std::optional<std::string>>> replace_run(std::string id,
                                                            std::optional<std::string> etag,
                                                            std::string text, Deadline deadline);

 private:
  s3::ObjectName name_of(std::string key) const { return {place_.name, std::move(key)}; }
  Awaitable<s3::Answer<std::string>> put_object(std::string key, std::string text,
                                                s3::Condition condition, Deadline deadline);

  const BucketPlace place_;
  const std::shared_ptr<Clock> clock_;
  const std::chrono::milliseconds patience_;
  std::atomic<bool> knows_conditions_ = true;  // found out by the first answer
};

// Lists and answers do not all have the quotes.
bool same_etag(std::string_view a, std::string_view b);

}  // namespace tus::hooks
