// Where notifications wait when there is a bucket: in it, so that they outlive the machine.
#pragma once

#include "hooks/bucket/objects.h"
#include "hooks/common/outbox.h"

#include <tus/clock.h>
#include <tus/logger.h>

#include <chrono>
#include <memory>

namespace tus::hooks {

enum class OutboxUsers : std::uint8_t {
  several,  // other processes have records there too
  one,      // no other process lives: what is there is taken at once
};

struct BucketOutboxOptions {
  BucketOutboxOptions() = default;

  // A process that does not touch its run for so long is taken for dead.
  std::chrono::milliseconds lease{60'000};
  OutboxUsers users = OutboxUsers::several;
  // For writing down what a client waits for; and for all other requests.
  std::chrono::milliseconds patience{60'000};
  std::chrono::milliseconds patience_behind{15'000};
};

// How often a process touches its run, and should look for what others have left.
inline std::chrono::milliseconds beat_of(std::chrono::milliseconds lease) { return lease / 6; }

// Nothing is asked of the bucket before a record is put or looked for. Requests that nobody waits for are sent on
// `executor`. close() must have returned before it is destroyed.
std::unique_ptr<Outbox> make_bucket_outbox(BucketPlace place, BucketOutboxOptions options,
                                           std::shared_ptr<Clock> clock,
                                           std::shared_ptr<Logger> logger,
                                           asio::any_io_executor executor);

}  // namespace tus::hooks
