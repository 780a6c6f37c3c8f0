#include "stores/limited/limited_upload.h"

#include "stores/limited/room_source.h"

#include <algorithm>
#include <utility>

namespace tus::limited_store {

Awaitable<bool> Shared::looked_again(std::uint64_t wanted, Deadline deadline) {
  if (wanted > options.max_bytes || !census.is_old()) co_return false;
  auto counted = co_await census.count_again(deadline);
  if (!counted) {
    logger->log(LogLevel::warn, "UploadsNotCounted", {{"cause", counted.error().detail()}});
  }
  co_return counted.has_value();
}

Error Shared::no_room(std::uint64_t wanted) const {
  return Error(ErrorCode::no_space, "all uploads together may take " +
                                        std::to_string(options.max_bytes) + " bytes, " +
                                        std::to_string(ledger.used()) + " are taken, " +
                                        std::to_string(wanted) + " are wanted");
}

LimitedUpload::~LimitedUpload() {
  // Whoever opens it next cuts them off.
  if (!is_unsure_) shared_->ledger.give_back(*account_, staged_);
  shared_->ledger.left(account_);
}

Awaitable<AppendOutcome> LimitedUpload::append(const Lease& lease, BodySource& source,
                                               AppendRequest request, Deadline deadline) {
  // With a length it has taken all that it may bring.
  if (info().length) return inner_->append(lease, source, request, deadline);
  return append_counted(lease, source, request, deadline);
}

// Error: no_space, when a body that surely brings something has no room at all.
Awaitable<std::optional<Error>> LimitedUpload::find_room(const BodySource& source,
                                                         Deadline deadline) {
  const auto now = shared_->clock->now();
  deadline = deadline.sooner(Deadline::after(now, shared_->options.longest_wait));
  if (!shared_->census.has_counted()) {
    auto counted = co_await shared_->census.count_once(deadline);
    if (!counted) co_return std::move(counted.error());
  }
  if (shared_->ledger.room() > 0) co_return std::nullopt;
  (void)co_await shared_->looked_again(1, deadline);
  if (shared_->ledger.room() > 0) co_return std::nullopt;
  const bool brings_some = source.remaining().value_or(0) > 0 || !source.buffered().empty();
  co_return brings_some ? std::optional(shared_->no_room(1)) : std::nullopt;
}

Awaitable<AppendOutcome> LimitedUpload::append_counted(const Lease& lease, BodySource& source,
                                                       AppendRequest request, Deadline deadline) {
  if (auto refused = co_await find_room(source, deadline)) {
    AppendOutcome nothing;
    nothing.safe_offset = info().offset;
    nothing.staged_offset = info().offset + staged_;
    nothing.error = std::move(refused);
    co_return nothing;
  }
  RoomSource counted(source, shared_->ledger, *account_);
  const auto before = info().offset + staged_;
  auto outcome = co_await inner_->append(lease, counted, request, deadline);
  settle(before, counted.given(), std::max(outcome.staged_offset, info().offset));
  if (counted.is_full() && !outcome.error) {
    outcome.error = shared_->no_room(1);
    outcome.body = BodyState::open;
  }
  co_return outcome;
}

// A store may have lost some of what it was given, and what was staged before.
void LimitedUpload::settle(std::uint64_t before, std::uint64_t given,
                           std::uint64_t after) noexcept {
  const auto counted = before + given;
  if (after < counted) shared_->ledger.give_back(*account_, counted - after);
  if (after > counted) shared_->ledger.take_anyway(*account_, after - counted);
  staged_ = after - info().offset;
}

Awaitable<Status> LimitedUpload::commit_staged(const Lease& lease, Deadline deadline) {
  auto done = co_await inner_->commit_staged(lease, deadline);
  if (done) {
    staged_ = 0;
  } else {
    is_unsure_ = true;
  }
  co_return done;
}

Awaitable<Status> LimitedUpload::rollback_staged(const Lease& lease, Deadline deadline) {
  auto done = co_await inner_->rollback_staged(lease, deadline);
  if (!done) co_return done;
  shared_->ledger.give_back(*account_, std::exchange(staged_, 0));
  is_unsure_ = false;
  co_return done;
}

Awaitable<Status> LimitedUpload::declare_length(const Lease& lease, std::uint64_t length,
                                                Deadline deadline) {
  const auto has = info().offset + staged_;
  const auto more = length - std::min(length, has);
  if (!shared_->census.has_counted()) {
    auto counted = co_await shared_->census.count_once(deadline);
    if (!counted) co_return counted;
  }
  if (!shared_->ledger.take(*account_, more)) {
    const bool looked = co_await shared_->looked_again(more, deadline);
    if (!looked || !shared_->ledger.take(*account_, more)) co_return fail(shared_->no_room(more));
  }
  auto done = co_await inner_->declare_length(lease, length, deadline);
  if (done) {
    staged_ = 0;
  } else {
    shared_->ledger.give_back(*account_, more);
  }
  co_return done;
}

Awaitable<Status> LimitedUpload::terminate(const Lease& lease, Deadline deadline) {
  auto done = co_await inner_->terminate(lease, deadline);
  if (done) shared_->ledger.gone(*account_);
  co_return done;
}

}  // namespace tus::limited_store
