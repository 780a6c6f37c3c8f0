// A body whose bytes, pauses and end are written down in the test.
#pragma once

#include <tus/body_source.h>
#include <tus/deadline.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

// What happens to the body, in order. Each wait() brings one more step.
struct BodyScript {
  BodyScript() = default;

  // One piece, complete, with its length announced; nothing at all for an empty text.
  static BodyScript whole(std::string bytes);
  // Pieces of `piece` bytes whose total is not announced, as with chunked framing.
  static BodyScript chunked(const std::string& bytes, std::size_t piece);

  std::vector<std::string> pieces;
  std::size_t arrived = 0;  // so many pieces are here with the head, before anybody waits
  // Before the piece with this index (or the end) the body is silent until it is released or ended
  // from outside.
  std::optional<std::size_t> hold_before;
  BodyState end = BodyState::complete;
  std::optional<std::uint64_t> announced;  // Content-Length; may be more than what comes
};

// Stands in for pwrite(2) where a body is moved straight into a file: the bytes written, or -1 and errno.
using FileWriter =
    std::function<std::int64_t(int fd, std::span<const std::byte> bytes, std::uint64_t at)>;

class ScriptSource final : public BodySource {
 public:
  explicit ScriptSource(BodyScript script, FileWriter writer = {});
  ~ScriptSource() override;

  std::optional<std::uint64_t> remaining() const noexcept override;
  std::span<const std::byte> buffered() const noexcept override;
  BodyState state() const noexcept override;
  Moved pull(std::span<std::byte> into) override;
  Moved move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                     std::span<std::byte> scratch) override;
  bool wait_briefly(std::chrono::microseconds patience) override;
  Awaitable<BodyState> wait() override;
  void interrupt(BodyState reason) noexcept override;

  // Any thread: goes on behind the hold.
  void release() noexcept;
  // Waits until somebody waits at the hold; false when the deadline passes first.
  Awaitable<bool> held(Deadline deadline);

  // Bytes that were taken.
  std::uint64_t taken() const noexcept;
  // Whether wait() was ever called: then a client that asked for "100 Continue" has got it.
  bool asked_for() const noexcept;

 private:
  struct State;
  FileWriter writer_;
  std::unique_ptr<State> state_;
};

}  // namespace testing

TUS_NAMESPACE_END
