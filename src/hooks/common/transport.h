// What the ways of calling a hook have in common: a message goes out, a reply comes back.
#pragma once

#include <tus/async.h>
#include <tus/deadline.h>
#include <tus/error.h>
#include <tus/hooks.h>
#include <tus/message.h>
#include <tus/metrics_sink.h>

#include <cstdint>
#include <optional>
#include <string>

namespace tus::hooks {

// A message, made once and sent as often as it takes.
struct Envelope {
  Envelope() = default;

  HookEvent event = HookEvent::post_create;
  std::string event_name;  // "post-create"
  std::string event_id;    // the same for every attempt, so that receivers can tell repetitions
  std::string body;        // JSON
  std::string upload_id;   // empty before an upload has one
  std::optional<std::uint64_t> upload_length;  // bytes
  std::uint64_t upload_offset = 0;             // bytes
  Fields
      request_fields;  // of the request that caused it; a transport passes on those it is told to
};

// What came back of a call that went well as the transport's format has it.
struct TransportReply {
  TransportReply() = default;

  std::string body;  // JSON, or what a legacy hook printed; empty: nothing was said
  // Of the legacy format alone, where a refusal is no failure: what the hook says no with.
  bool refused = false;
  int status = 0;     // HTTP status, when the transport has one and `refused`
  int exit_code = 0;  // of a program, when `refused`
};

// How messages look, and what counts as a refusal.
enum class Format : std::uint8_t {
  v2,      // anything but success is a failure
  legacy,  // an exit code other than 0, or a status from 400 on, is a refusal of events that are asked
};

// Any executor, concurrently. Outlives its calls.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual HookTransport kind() const noexcept = 0;
  // One delivery, with all the attempts a transport makes of its own, over at the deadline. An error means
  // that nothing is known about what the hook would have said; its detail is for the log.
  virtual Awaitable<Result<TransportReply>> call(Envelope envelope, Deadline deadline) = 0;
  // Ends what runs, as far as that is possible, and waits for it; calls that begin later fail.
  virtual Awaitable<void> close(Deadline deadline) = 0;
};

}  // namespace tus::hooks
