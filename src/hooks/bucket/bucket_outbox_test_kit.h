// Processes with their outboxes in one bucket in memory, and time that stands still.
#pragma once

#include "hooks/bucket/bucket_outbox.h"
#include "hooks/bucket/dead_letters.h"
#include "hooks/common/message.h"
#include "stores/s3/client/memory_bucket_test_kit.h"

#include <tus/runtime.h>
#include <tus/testing/coro_test.h>
#include <tus/testing/manual_clock.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tus::hooks {

using testing::run;

// A clock beside ours that goes wrong.
class SkewedClock final : public Clock {
 public:
  SkewedClock(std::shared_ptr<Clock> right, std::chrono::nanoseconds skew)
      : right_(std::move(right)), skew_(skew) {}
  std::chrono::steady_clock::time_point now() const noexcept override { return right_->now(); }
  std::chrono::system_clock::time_point wall() const noexcept override {
    return right_->wall() + skew_;
  }

 private:
  std::shared_ptr<Clock> right_;
  std::chrono::nanoseconds skew_;
};

inline Envelope event_of(HookEvent event, std::string_view id) {
  HookMessage message;
  message.event = event;
  message.upload.id = *UploadId::parse(id);
  message.upload.length = 3;
  return make_envelope(message, Format::v2);
}

using Names = std::vector<std::string>;

inline Names names(const std::vector<OutboxEntry>& entries) {
  Names list;
  for (const auto& entry : entries) list.push_back(entry.name);
  return list;
}

// One that says nothing any more is as good as dead: until it is destroyed, which is a clean stop.
class Process {
 public:
  explicit Process(std::unique_ptr<Outbox> outbox) : outbox_(std::move(outbox)) {}
  ~Process() { stop(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void stop() {
    if (outbox_) run(outbox_->close(Deadline::never()));
    outbox_.reset();
  }
  Outbox& operator*() { return *outbox_; }

  Result<OutboxEntry> try_put(HookEvent event, std::string_view id) {
    return run(outbox_->put(event_of(event, id)));
  }
  OutboxEntry put(HookEvent event, std::string_view id) { return try_put(event, id).value(); }
  std::vector<OutboxEntry> look(std::size_t most = 1'000) {
    return run(outbox_->left_behind(most)).value();
  }
  Turn turn(const OutboxEntry& entry) { return run(outbox_->turn_of(entry)).value(); }
  Status remove(const OutboxEntry& entry) { return run(outbox_->remove(entry)); }

 private:
  std::unique_ptr<Outbox> outbox_;
};

class InBucket : public ::testing::Test {
 protected:
  static constexpr std::chrono::seconds lease{60};

  static BucketOutboxOptions alone() {
    BucketOutboxOptions options;
    options.users = OutboxUsers::one;
    return options;
  }
  BucketPlace place() const { return {bucket, "uploads", "p/.tusd/outbox/"}; }
  std::unique_ptr<Process> start(BucketOutboxOptions options = {},
                                 std::chrono::nanoseconds skew = {}) {
    return std::make_unique<Process>(
        make_bucket_outbox(place(), options, std::make_shared<SkewedClock>(clock, skew),
                           std::make_shared<NoLogger>(), loops_.executors()[0]));
  }
  // Until all that others have had and did not touch since then is anybody's.
  std::vector<OutboxEntry> look_until_dead(Process& process) {
    (void)process.look();
    clock->advance(lease);
    return process.look();
  }
  std::size_t records() const {
    return static_cast<std::size_t>(std::ranges::count_if(bucket->keys(), [](const auto& key) {
      return key.starts_with("p/.tusd/outbox/records/");
    }));
  }
  s3::test::BucketFaults& faults() { return bucket->faults(); }

  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  std::shared_ptr<s3::test::MemoryBucket> bucket = std::make_shared<s3::test::MemoryBucket>(*clock);

 private:
  EventLoops loops_{1};
};

}  // namespace tus::hooks
