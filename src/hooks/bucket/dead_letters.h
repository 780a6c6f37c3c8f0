// What is not tried any more in an outbox in a bucket, and its way back. No outbox need be open.
#pragma once

#include "hooks/bucket/objects.h"

#include <chrono>
#include <string>
#include <vector>

namespace tus::hooks {

class DeadLetters {
 public:
  DeadLetters(BucketPlace place, std::shared_ptr<Clock> clock, std::chrono::milliseconds patience)
      : objects_(std::move(place), std::move(clock), patience) {}

  // Oldest first. Errors: store_unavailable.
  Awaitable<Result<std::vector<OutboxEntry>>> list();
  Awaitable<Result<std::string>> read(OutboxEntry entry);
  // Whoever looks first takes it, as of this time.
  Awaitable<Status> replay(OutboxEntry entry, std::chrono::system_clock::time_point now);

 private:
  Objects objects_;
};

}  // namespace tus::hooks
