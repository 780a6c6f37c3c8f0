// Where notifications wait until somebody has taken them.
#pragma once

#include "hooks/common/transport.h"

#include <tus/async.h>
#include <tus/deadline.h>
#include <tus/error.h>
#include <tus/hooks.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tus::hooks {

// A record, as far as its name tells. Names sort in the order in which they were given, also between
// processes with the same clock.
struct OutboxEntry {
  OutboxEntry() = default;

  std::string name;
  std::uint64_t line =
      0;  // the same for all events of an upload (and, rarely, for those of another one)
  HookEvent event = HookEvent::post_create;
  std::chrono::system_clock::time_point since;
  bool has_happened = false;  // otherwise it is not known whether the change was made
};

// Which line an upload's events belong to.
std::uint64_t line_of(std::string_view upload_id) noexcept;

// Whether a record may be told.
enum class Turn : std::uint8_t {
  now,
  not_yet,     // another process has an older one of the same line
  lost,        // another process took us for dead and has it now
  unrecorded,  // the same, and it is there no more: nobody knows whether it was told
};

// Records of this process and, when left_behind() has returned, of processes that died; until then those count as
// another's. Any executor, concurrently, but one call at a time for one record; left_behind() and turn_of() on one
// serial executor.
class Outbox {
 public:
  virtual ~Outbox() = default;

  // The record is as safe as the store makes uploads when this returns.
  virtual Awaitable<Result<OutboxEntry>> put(Envelope envelope) = 0;
  // Errors: upload_not_found when it is gone, upload_damaged when it is none.
  virtual Awaitable<Result<Envelope>> get(OutboxEntry entry) = 0;
  // Records that its change was made; gives it another name.
  virtual Awaitable<Result<OutboxEntry>> mark_happened(OutboxEntry entry) = 0;
  virtual Awaitable<Status> remove(OutboxEntry entry) = 0;
  // Puts it where nobody tries any more.
  virtual Awaitable<Status> bury(OutboxEntry entry) = 0;
  // Takes over what dead processes left, and what is to be tried again: about `most` of it, sorted by name.
  virtual Awaitable<Result<std::vector<OutboxEntry>>> left_behind(std::size_t most) = 0;
  // Records of this process, the oldest `most` of them, sorted by name.
  virtual Awaitable<Result<std::vector<OutboxEntry>>> waiting(std::size_t most) = 0;
  virtual Awaitable<Result<Turn>> turn_of(OutboxEntry entry) = 0;
  // Whether somebody, we or another process, has a later record of the same line that tells of its end.
  virtual Awaitable<Result<bool>> is_ended_later(OutboxEntry entry) = 0;
  // Records that nobody tries any more.
  virtual Awaitable<Result<std::size_t>> buried() = 0;
  // Once, when nothing runs and nothing is asked any more: what is left is anybody's.
  virtual Awaitable<void> close(Deadline deadline) = 0;
};

}  // namespace tus::hooks
