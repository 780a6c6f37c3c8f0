#include "hooks/bucket/own_run.h"

#include "async/random_id.h"

#include <utility>

namespace tus::hooks {

namespace {

constexpr std::size_t run_size = 16;
// Somebody may have touched it in our name, whose answer was lost.
constexpr int most_touches = 3;

}  // namespace

// Lets the next one in when it goes.
class OwnRun::Turnstile {
 public:
  Turnstile(OwnRun& run, std::shared_ptr<Event> done) : run_(&run), done_(std::move(done)) {}
  Turnstile(Turnstile&& other) noexcept : run_(other.run_), done_(std::move(other.done_)) {}
  Turnstile& operator=(Turnstile&&) = delete;
  ~Turnstile() {
    if (!done_) return;
    {
      std::lock_guard lock(run_->mutex_);
      run_->busy_.reset();
    }
    done_->set();
  }

 private:
  OwnRun* run_;
  std::shared_ptr<Event> done_;
};

std::string OwnRun::id() const {
  std::lock_guard lock(mutex_);
  return state_ ? state_->id : std::string();
}

std::uint64_t OwnRun::losses() const {
  std::lock_guard lock(mutex_);
  return losses_;
}

std::optional<OwnRun::State> OwnRun::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

bool OwnRun::is_fresh(const State& state) const {
  return objects_.clock().now() < state.touched + lease_ * 2 / 3;
}

void OwnRun::lose(const std::string& id) {
  // This process stood still, or could not reach the bucket: an operator may want to know why events come twice.
  logger_.log(LogLevel::warn, "HookRunLost", {{"run", id}});
  std::lock_guard lock(mutex_);
  state_.reset();
  ++losses_;
}

Awaitable<std::optional<OwnRun::Turnstile>> OwnRun::enter(Deadline deadline) {
  std::shared_ptr<Event> other;
  auto done = std::make_shared<Event>();
  {
    std::lock_guard lock(mutex_);
    other = busy_;
    if (!other) busy_ = done;
  }
  if (!other) co_return std::optional<Turnstile>(std::in_place, *this, std::move(done));
  co_await other->wait(deadline);
  co_return std::nullopt;
}

Awaitable<Result<std::string>> OwnRun::get(Deadline deadline) {
  for (;;) {
    const auto now = state();
    if (now && is_fresh(*now)) co_return now->id;
    if (deadline.passed(objects_.clock().now()))
      co_return fail(ErrorCode::store_unavailable, "the run of this process is not safe");
    const auto turnstile = co_await enter(deadline);
    if (!turnstile) continue;
    const auto old = state();
    auto done = old ? co_await touch(*old, deadline) : co_await make(deadline);
    if (!done) co_return fail(std::move(done.error()));
  }
}

Awaitable<void> OwnRun::renew(Deadline deadline) {
  const auto turnstile = co_await enter(deadline);
  const auto old = state();
  // Who cannot be reached now is asked again, at the latest by whoever relies on it.
  if (turnstile && old) (void)co_await touch(*old, deadline);
}

Awaitable<Status> OwnRun::make(Deadline deadline) {
  State made;
  made.id = random_id().substr(0, run_size);
  made.touched = objects_.clock().now();
  auto put = co_await objects_.replace_run(made.id, std::nullopt, run_text(made.id, random_id()),
                                           deadline);
  if (!put) co_return fail(std::move(put.error()));
  if (!*put) co_return fail(ErrorCode::store_unavailable, "a random name was not new");
  made.etag = **std::move(put);
  std::lock_guard lock(mutex_);
  state_ = std::move(made);
  co_return Status();
}

Awaitable<Status> OwnRun::touch(State state, Deadline deadline) {
  for (int i = 0; i < most_touches; ++i) {
    state.touched = objects_.clock().now();
    auto put = co_await objects_.replace_run(state.id, state.etag, run_text(state.id, random_id()),
                                             deadline);
    if (!put) co_return fail(std::move(put.error()));
    if (*put) {
      state.etag = **std::move(put);
      std::lock_guard lock(mutex_);
      state_ = std::move(state);
      co_return Status();
    }
    auto there = co_await objects_.get_run(state.id, deadline);
    if (!there) co_return fail(std::move(there.error()));
    if (!*there || holder_in((*there)->text) != state.id) {
      lose(state.id);
      co_return Status();
    }
    state.etag = (*there)->etag;
  }
  co_return fail(ErrorCode::store_unavailable, "the run of this process does not stand still");
}

Awaitable<void> OwnRun::release(Deadline deadline) {
  const auto old = state();
  if (!old) co_return;
  if (!is_fresh(*old)) co_await renew(deadline);
  const auto now = state();
  // One that is not ours any more, or may be another's by the time it is removed, is left to them.
  if (!now || !is_fresh(*now)) co_return;
  const auto in_time = Deadline::after(objects_.clock().now(), lease_ / 6).sooner(deadline);
  (void)co_await objects_.remove(objects_.keys.run(now->id), in_time);
  std::lock_guard lock(mutex_);
  state_.reset();
}

}  // namespace tus::hooks
