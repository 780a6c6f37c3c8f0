// The bytes of one request on their way into a store.
#pragma once

#include <tus/async.h>
#include <tus/body_state.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

TUS_NAMESPACE_BEGIN

// Used by one coroutine at a time. `wait` runs on the connection's executor; the other calls never block
// and may also be made from a pool thread while the coroutine that owns the source waits for that job.
class TUS_EXPORT BodySource {
 public:
  struct Moved {
    std::uint64_t bytes = 0;            // bytes taken from the source and given to the destination
    BodyState state = BodyState::open;  // open with bytes == 0: nothing here now, use wait()
    int file_error = 0;                 // errno of the destination; the source has then ended
  };

  virtual ~BodySource() = default;

  // Bytes still to come, when the request said so (Content-Length, less what was taken).
  virtual std::optional<std::uint64_t> remaining() const noexcept = 0;

  // Bytes that have arrived and are not taken yet, without waiting. Valid until the next call.
  virtual std::span<const std::byte> buffered() const noexcept = 0;

  // The state as far as it is known without touching the connection.
  virtual BodyState state() const noexcept = 0;

  // Takes up to into.size() bytes that are here now.
  virtual Moved pull(std::span<std::byte> into) = 0;

  // Moves up to `max` bytes that are here now to `fd` at file offset `at`, through user space only where
  // it must. `scratch` is used when bytes have to be copied. Bytes that the destination refused are
  // lost to the source, so it ends; they are not counted in `bytes`.
  virtual Moved move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                             std::span<std::byte> scratch) = 0;

  // For a pool thread in the middle of a fast body: waits up to `patience` for more bytes. False when
  // none came or the body is over.
  virtual bool wait_briefly(std::chrono::microseconds patience) = 0;

  // Waits until bytes are here or the body is over; sends "100 Continue" first when the client asked for
  // it and nothing has been answered yet. Returns the state.
  virtual Awaitable<BodyState> wait() = 0;

  // Ends the body from outside with `reason` (interrupted, stopping). Any thread; the first reason
  // stays; a running wait or move returns soon.
  virtual void interrupt(BodyState reason) noexcept = 0;
};

TUS_NAMESPACE_END
