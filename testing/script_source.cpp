#include "async/event.h"

#include <tus/testing/script_source.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <unistd.h>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

BodyScript BodyScript::whole(std::string bytes) {
  BodyScript script;
  script.announced = bytes.size();
  if (!bytes.empty()) script.pieces.push_back(std::move(bytes));
  return script;
}

BodyScript BodyScript::chunked(const std::string& bytes, std::size_t piece) {
  BodyScript script;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    script.pieces.push_back(bytes.substr(at, piece));
  }
  return script;
}

struct ScriptSource::State {
  explicit State(BodyScript s) : script(std::move(s)) {}

  mutable std::mutex mutex;  // interrupt() comes from other threads
  BodyScript script;
  std::size_t next = 0;  // the piece that comes next
  std::string here;      // what has arrived and is not taken
  std::size_t used = 0;  // bytes of `here` that are taken
  std::uint64_t taken = 0;
  bool asked_for = false;
  bool released = false;
  BodyState ended = BodyState::open;
  Event wake;  // release or interrupt
  Event held;

  std::size_t available() const { return here.size() - used; }
  bool at_hold() const {
    return !released && script.hold_before == next && ended == BodyState::open;
  }
  // A body whose announced bytes are all here ends without another look at the connection.
  void end_when_over() {
    if (ended != BodyState::open || available() > 0) return;
    if (script.announced == taken && script.end == BodyState::complete) ended = BodyState::complete;
  }
  void step() {
    if (ended != BodyState::open || available() > 0) return;
    if (next == script.pieces.size()) {
      ended = script.end;
      return;
    }
    here = script.pieces[next++];
    used = 0;
  }
};

namespace {

std::int64_t write_to_file(int fd, std::span<const std::byte> bytes, std::uint64_t at) {
  return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
}

}  // namespace

ScriptSource::ScriptSource(BodyScript script, FileWriter writer)
    : writer_(writer ? std::move(writer) : write_to_file),
      state_(std::make_unique<State>(std::move(script))) {
  auto& pieces = state_->script.pieces;
  while (state_->next < std::min(state_->script.arrived, pieces.size())) {
    state_->here += pieces[state_->next++];
  }
  state_->end_when_over();
}

ScriptSource::~ScriptSource() = default;

std::optional<std::uint64_t> ScriptSource::remaining() const noexcept {
  const std::lock_guard lock(state_->mutex);
  if (!state_->script.announced) return std::nullopt;
  return *state_->script.announced - state_->taken;
}

std::span<const std::byte> ScriptSource::buffered() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return std::as_bytes(std::span(state_->here)).subspan(state_->used);
}

BodyState ScriptSource::state() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->ended;
}

BodySource::Moved ScriptSource::pull(std::span<std::byte> into) {
  const std::lock_guard lock(state_->mutex);
  const auto count = std::min(into.size(), state_->available());
  std::memcpy(into.data(), state_->here.data() + state_->used, count);
  state_->used += count;
  state_->taken += count;
  state_->end_when_over();
  // The end comes behind the last byte, never beside bytes that still wait.
  const auto state = state_->available() > 0 ? BodyState::open : state_->ended;
  return {count, state, 0};
}

BodySource::Moved ScriptSource::move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                                             std::span<std::byte> scratch) {
  Moved moved = pull(scratch.first(std::min<std::uint64_t>(scratch.size(), max)));
  std::size_t written = 0;
  while (written < moved.bytes) {
    const auto result = writer_(fd, scratch.subspan(written, moved.bytes - written), at + written);
    if (result < 0 && errno == EINTR) continue;
    if (result <= 0) {
      moved.file_error = result < 0 ? errno : EIO;
      interrupt(BodyState::interrupted);
      break;
    }
    written += static_cast<std::size_t>(result);
  }
  moved.bytes = written;
  return moved;
}

bool ScriptSource::wait_briefly(std::chrono::microseconds) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->at_hold()) state_->step();
  return state_->available() > 0;
}

Awaitable<BodyState> ScriptSource::wait() {
  bool hold = false;
  {
    const std::lock_guard lock(state_->mutex);
    state_->asked_for = true;
    hold = state_->available() == 0 && state_->at_hold();
  }
  if (hold) {
    state_->held.set();
    co_await state_->wake.wait(Deadline::never());
  }
  const std::lock_guard lock(state_->mutex);
  state_->step();
  co_return state_->ended;
}

void ScriptSource::interrupt(BodyState reason) noexcept {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->ended == BodyState::open) state_->ended = reason;
  }
  state_->wake.set();
}

void ScriptSource::release() noexcept {
  {
    const std::lock_guard lock(state_->mutex);
    state_->released = true;
  }
  state_->wake.set();
}

Awaitable<bool> ScriptSource::held(Deadline deadline) { return state_->held.wait(deadline); }

std::uint64_t ScriptSource::taken() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->taken;
}

bool ScriptSource::asked_for() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->asked_for;
}

}  // namespace testing

TUS_NAMESPACE_END
