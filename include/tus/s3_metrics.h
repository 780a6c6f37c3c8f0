// What a store in a bucket of S3 does, as numbers. All calls come from any thread and must be cheap.
#pragma once

#include <tus/export.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

TUS_NAMESPACE_BEGIN

// Why a call of S3 failed for good. That an object is missing, or has changed, is an answer and no failure.
enum class S3Failure : std::uint8_t {
  refused,      // rights, keys, clock, region, bucket: somebody has to mend it
  full,         // a quota
  unavailable,  // no answer or a bad one, after all attempts
  other,        // an answer that does not fit what was asked
};
inline constexpr std::size_t s3_failure_count = 4;

// One call of S3 with all its repetitions.
struct S3Call {
  std::string_view operation;  // tusd's name of it, "put_info_object"
  std::optional<S3Failure> failure;
  std::chrono::nanoseconds duration{0};
  int attempts = 1;
  std::uint64_t bytes_sent = 0;  // of bodies, in all attempts
};

enum class MemoryOutcome : std::uint8_t { granted, timed_out };

// Why bytes of an upload that make no part yet were put into the bucket before its request has ended.
enum class SpillReason : std::uint8_t {
  stalled,   // its client has fallen silent
  shortage,  // others need the memory
};

class TUS_EXPORT S3Metrics {
 public:
  virtual ~S3Metrics() = default;

  virtual void called(const S3Call& call) noexcept = 0;
  // A request for whose bytes there was no memory at once.
  virtual void memory_waited(MemoryOutcome outcome, std::chrono::nanoseconds duration) noexcept = 0;
  virtual void spilled(SpillReason why, std::uint64_t bytes) noexcept = 0;
};

// What is going on now.
struct S3Figures {
  std::uint64_t memory_used = 0;      // bytes of bodies that are held
  std::uint64_t memory_limit = 0;     // S3StoreOptions::max_memory
  std::size_t memory_waiting = 0;     // requests that wait for some of it
  std::uint64_t sending = 0;          // bytes of parts and leftovers that are being sent
  std::size_t part_slots_wanted = 0;  // parts that are sent, or wait for that
  std::size_t part_slots = 0;         // S3StoreOptions::concurrent_part_uploads
};

TUS_NAMESPACE_END
