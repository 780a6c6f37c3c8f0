#include "stores/s3/append_run.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace tus::s3 {

namespace {

const Deadline never = Deadline::never();

// So many times the wait for a silent body, one may take for a part whose memory others want.
constexpr int slow_after = 10;

std::string what_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}

}  // namespace

AppendRun::AppendRun(Work& work, const Lease& lease, BodySource& source, PartsGo where)
    : work_(work),
      context_(work.context()),
      lease_(lease),
      source_(source),
      where_(where),
      start_(work.info().offset),
      bytes_(context_.chunks),
      holder_(context_.memory, [nudge = nudge_] { nudge->give(); }),
      last_bytes_(context_.clock->now()),
      tasks_([this](std::exception_ptr thrown) {
        fail_with(Error(ErrorCode::internal, what_of(thrown)));
      }) {}

Awaitable<void> AppendRun::run() {
  executor_ = co_await asio::this_coro::executor;
  std::exception_ptr thrown;
  try {
    co_await take_bytes();
  } catch (...) {
    thrown = std::current_exception();
  }
  over_ = true;
  nudge_->give();
  (void)co_await tasks_.close(never);
  holder_.end();
  if (thrown) {
    work_.become_unsure();
    std::rethrow_exception(thrown);
  }
  if (!begun_) co_return;
  if (where_ == PartsGo::aside) co_return;
  co_await count_parts();
  co_await keep_the_rest();
}

void AppendRun::fail_with(Error error) {
  if (!error_) error_ = std::move(error);
}

// ---- bytes

Awaitable<void> AppendRun::take_bytes() {
  while (!error_) {
    if (lease_.lost()) co_return fail_with(Error(ErrorCode::lease_lost));
    if (part_size_ == 0) {
      if (!co_await something_comes()) co_return;
      if (!co_await begin_part()) continue;
    }
    const auto missing = sent_end_ + part_size_ - bytes_.end();
    const auto most = std::min<std::uint64_t>(missing, context_.options.chunk);
    const auto moved = source_.pull(bytes_.space(static_cast<std::size_t>(most)));
    if (moved.bytes > 0) {
      bytes_.grow(static_cast<std::size_t>(moved.bytes));
      taken_end_ += moved.bytes;
      last_bytes_ = context_.clock->now();
      if (moved.bytes == missing) co_await send_part();
      continue;
    }
    if (moved.state != BodyState::open && source_.buffered().empty()) {
      body_ = moved.state;
      co_return;
    }
    start_watch();
    (void)co_await source_.wait();
  }
}

// Nothing is reserved for a body that only may come.
Awaitable<bool> AppendRun::something_comes() {
  if (!source_.buffered().empty()) co_return true;
  auto state = source_.state();
  if (state == BodyState::open) state = co_await source_.wait();
  if (state == BodyState::open || !source_.buffered().empty()) co_return true;
  body_ = state;
  co_return false;
}

// ---- the beginning of a part

// Whether the body is long enough for what would be the first part.
bool AppendRun::makes_first_part() const {
  const auto size = plan_part();
  const auto coming = source_.remaining();
  return size > 0 && (!coming || start_ + *coming >= size);
}

Awaitable<Status> AppendRun::claim(Deadline deadline) {
  if (!makes_first_part()) {
    auto claimed = co_await work_.claim(lease_, deadline);
    // The record may have been another's, with a length that we did not know.
    const bool is_enough = first_size(work_.state) > 0 || !makes_first_part();
    if (!claimed || is_enough) co_return claimed;
  }
  co_return co_await work_.claim_for_parts(lease_, plan_part(), deadline);
}

Awaitable<bool> AppendRun::begin() {
  if (begun_) co_return true;
  const auto deadline = context_.deadline();
  auto ready = co_await claim(deadline);
  if (ready && work_.info().offset != start_) ready = fail(ErrorCode::mismatched_offset);
  if (ready) ready = co_await work_.empty_gaps(lease_, deadline);
  if (!ready) {
    fail_with(std::move(ready.error()));
    co_return false;
  }
  const auto& ledger = work_.state.ledger;
  begun_ = true;
  sent_ = sent_before_ = static_cast<std::uint32_t>(ledger.parts.size());
  sent_end_ = ledger.parts_end;
  first_size_ = first_size(work_.state);
  bytes_.restart(sent_end_);
  const bool fits = work_.tail && work_.tail->start() == sent_end_ && work_.tail->end() == start_;
  if (fits) bytes_ = *std::move(work_.tail);
  work_.tail.reset();
  taken_end_ = start_;
  co_return true;
}

// Rather no upload than one with a byte missing.
bool AppendRun::has_all_taken() {
  if (bytes_.end() == taken_end_) return true;
  fail_with(Error(ErrorCode::internal, "bytes of a part are missing"));
  return false;
}

// Where the bytes end that are known: in memory, or in `.part`.
std::uint64_t AppendRun::known_end() const noexcept {
  return std::max({bytes_.end(), sent_end_, work_.info().offset});
}

std::uint64_t AppendRun::plan_part() const {
  auto limits = context_.options.parts;
  // Of these no part is sent while it comes, so that all of it has to fit.
  if (!source_.remaining() || where_ == PartsGo::aside) {
    limits.preferred =
        std::min(limits.preferred, std::max(limits.smallest, context_.memory.limit() / 4));
  }
  const auto& length = work_.info().length;
  std::uint64_t size = 0;
  if (first_size_ == 0) {
    auto coming = known_end() - sent_end_ + source_.remaining().value_or(limits.preferred);
    if (length) coming = std::min(coming, *length - sent_end_);
    size = first_part_size(limits, coming, length);
  } else {
    const auto doubles = work_.state.file.bucket.doubles;
    size = next_part_size(limits, PartsSoFar{sent_, sent_end_, first_size_, length, doubles});
  }
  return length ? std::min(size, *length - sent_end_) : size;
}

bool AppendRun::can_stream(std::uint64_t size) const {
  const auto remaining = source_.remaining();
  return where_ == PartsGo::into_the_upload && remaining &&
         known_end() - sent_end_ + *remaining >= size;
}

Awaitable<bool> AppendRun::begin_part() {
  if (!co_await begin()) co_return false;
  const auto size = plan_part();
  if (size == 0 || sent_ >= context_.options.parts.most) {
    fail_with(Error(size == 0 ? ErrorCode::size_exceeded : ErrorCode::max_size_exceeded));
    co_return false;
  }
  // What will be there when the body has ended.
  const auto known = known_end() - sent_end_;
  const auto most = source_.remaining() ? known + *source_.remaining() : size;
  const auto needed = std::min(size, std::max<std::uint64_t>(most, known + 1));
  const auto more = needed - std::min(needed, bytes_.room.bytes());
  if (size > context_.memory.limit() / 4 && can_stream(size)) {
    co_await stream_part(size);
    co_return false;
  }
  if (more > 0) {
    auto room = co_await context_.hold(more, context_.deadline());
    if (room.bytes() == 0) {
      fail_with(Error(ErrorCode::overloaded, "no memory for a part"));
      co_return false;
    }
    bytes_.room.add(std::move(room));
  }
  if (bytes_.empty() && known > 0) {
    auto fetched = co_await work_.fetch_rest(bytes_, sent_end_ + known, context_.deadline(known));
    if (!fetched) {
      fail_with(std::move(fetched.error()));
      co_return false;
    }
  }
  if (!has_all_taken()) co_return false;
  part_size_ = size;
  wanted_since_.reset();
  holder_.begin();
  co_return true;
}

// ---- parts on their way

// What was put into `.part` while more came.
Awaitable<bool> AppendRun::make_whole() {
  if (bytes_.start() == sent_end_) co_return true;
  ByteRun whole(context_.chunks);
  whole.restart(sent_end_);
  const auto before = bytes_.start() - sent_end_;
  auto fetched = co_await work_.fetch_rest(whole, bytes_.start(), context_.deadline(before));
  if (bytes_.start() == sent_end_) co_return true;  // somebody was faster
  if (fetched && whole.end() != bytes_.start()) {
    fetched = fail(ErrorCode::internal, "bytes of .part are missing");
  }
  if (!fetched) {
    fail_with(std::move(fetched.error()));
    co_return false;
  }
  const auto rest = bytes_.view(bytes_.size());
  for (const auto& piece : rest.payload.pieces) whole.append(piece);
  whole.room = std::move(bytes_.room);
  bytes_ = std::move(whole);
  co_return true;
}

bool AppendRun::size_is_on_record() {
  if (first_size_ > 0) return true;
  fail_with(Error(ErrorCode::internal, "a part whose size is not on record"));
  return false;
}

Awaitable<void> AppendRun::send_part() {
  if (!size_is_on_record() || !co_await make_whole()) co_return;
  if (where_ == PartsGo::aside && !co_await make_aside()) co_return;
  while (in_flight_ >= context_.options.parts_of_an_upload && !error_) {
    (void)co_await landed_.take(never);
  }
  if (error_) co_return;
  holder_.end();
  auto slice = std::make_unique<Slice>(bytes_.cut(part_size_));
  sent_end_ += part_size_;
  part_size_ = 0;
  ++sent_;
  ++in_flight_;
  tasks_.spawn(*executor_, carry(sent_, std::move(slice)));
}

Awaitable<void> AppendRun::carry(std::uint32_t number, std::unique_ptr<Slice> slice) {
  const auto slot = co_await context_.slots.reserve(1, never);
  if (!error_) {
    auto etag = co_await put(number, *slice);
    if (etag) {
      arrived_[number] = StoredPart{slice->size, *std::move(etag)};
    } else {
      fail_with(std::move(etag.error()));
    }
  }
  --in_flight_;
  landed_.give();
}

Awaitable<Result<std::string>> AppendRun::put(std::uint32_t number, const Slice& slice) {
  const auto deadline = context_.deadline(slice.size);
  if (where_ == PartsGo::into_the_upload) {
    co_return co_await work_.put_part(lease_, number, slice.payload, deadline);
  }
  if (auto may = work_.may_write(lease_); !may) co_return fail(std::move(may.error()));
  const Sending sending(context_.sending, slice.size);
  const auto own_number = number - sent_before_;
  auto etag = co_await context_.bucket.put_part(aside_, own_number, slice.payload, deadline);
  if (!etag) co_return fail(as_error(std::move(etag.error())));
  co_return *std::move(etag);
}

// The main coroutine does it itself: while it does, it takes nothing else from the body.
Awaitable<void> AppendRun::stream_part(std::uint64_t size) {
  while (in_flight_ > 0 && !error_) (void)co_await landed_.take(never);
  if (error_) co_return;
  const auto known = known_end() - sent_end_;
  if (bytes_.empty() && known > 0) {
    // It was acknowledged, so it is kept until the part is there, and is small beside the part.
    bytes_.room.add(context_.memory.try_reserve(known));
    auto fetched = co_await work_.fetch_rest(bytes_, sent_end_ + known, context_.deadline(known));
    if (!fetched) co_return fail_with(std::move(fetched.error()));
  }
  if (!size_is_on_record() || !co_await make_whole() || !has_all_taken()) co_return;
  // Without a slot: a client that is silent would keep it from all others.
  if (auto may = work_.may_write(lease_); !may) co_return fail_with(std::move(may.error()));
  StreamedPart part(bytes_.cut(bytes_.size()), source_, size);
  ++sent_;
  const Sending sending(context_.sending, size);
  auto etag =
      co_await context_.bucket.stream_part(work_.state.data, sent_, part, context_.deadline(size));
  sent_end_ = taken_end_ = sent_end_ + size;
  bytes_.restart(sent_end_);
  if (etag) {
    arrived_[sent_] = StoredPart{size, *std::move(etag)};
    co_return;
  }
  const auto state = source_.state();
  body_ = state;
  // A body that has ended early is no fault of the bucket's; what had come of the part is lost.
  broken_off_ = state != BodyState::open && state != BodyState::complete;
  if (!broken_off_) fail_with(as_error(std::move(etag.error())));
}

Awaitable<bool> AppendRun::make_aside() {
  if (!aside_.upload.empty()) co_return true;
  // Its own: a copy that a dead server has asked for must never find other bytes under the name.
  aside_.name = context_.names.staged(work_.state.object + "/" + context_.new_claim());
  auto made = co_await context_.bucket.create_multipart(aside_.name, {}, context_.deadline());
  if (made) {
    aside_.upload = *std::move(made);
    co_return true;
  }
  fail_with(as_error(std::move(made.error())));
  co_return false;
}

// ---- the end

// As far as none is missing.
void AppendRun::count_arrived() {
  const auto& parts = work_.state.ledger.parts;
  for (auto it = arrived_.begin(); it != arrived_.end() && it->first == parts.size() + 1;) {
    work_.count_part(std::move(it->second));
    it = arrived_.erase(it);
  }
}

Awaitable<void> AppendRun::count_parts() {
  auto& ledger = work_.state.ledger;
  count_arrived();
  for (const auto& [number, part] : arrived_) ledger.behind_gap.push_back(number);
  if (ledger.parts.size() == sent_ && !error_) co_return;
  // One that failed may be there all the same.
  bytes_.restart(ledger.parts_end);
  bytes_.room.release();
  work_.become_unsure();
  if (!lease_.lost()) (void)co_await work_.reload(context_.deadline_after_failure());
}

Awaitable<void> AppendRun::keep_the_rest() {
  if (error_) co_return;
  if (bytes_.empty()) co_return co_await mark_the_end();
  if (!co_await make_whole()) co_return;
  if (bytes_.end() > work_.info().offset) {
    const auto all = bytes_.view(bytes_.size());
    auto kept = co_await work_.put_rest(lease_, all, context_.deadline(all.size));
    if (!kept) {
      fail_with(kept.error());
      if (kept.error() == ErrorCode::no_space || lease_.lost()) co_return;
      (void)co_await work_.reload(context_.deadline_after_failure());
      co_return;
    }
  }
  const auto surplus = bytes_.room.bytes() - std::min(bytes_.room.bytes(), bytes_.size());
  (void)bytes_.room.split(surplus);
  work_.tail = std::move(bytes_);
}

// Nothing but the list of parts says how many there are, and lists may be late. An empty `.part` behind them
// says it too. It also takes the place of one that does not count any more, which Go's tusd would count.
Awaitable<void> AppendRun::mark_the_end() {
  if (sent_ == sent_before_ || work_.info().has_all_bytes()) co_return;
  Slice nothing;
  nothing.start = work_.state.ledger.parts_end;
  auto kept = co_await work_.put_rest(lease_, nothing, context_.deadline());
  if (!kept) fail_with(std::move(kept.error()));
}

AppendRun::Aside AppendRun::take_aside() {
  Aside aside(std::move(bytes_));
  aside.upload = aside_;
  aside.start = work_.state.ledger.parts_end;
  aside.first_size = first_size_;
  for (auto& [number, part] : arrived_) aside.parts.push_back(std::move(part));
  return aside;
}

// ---- clients that are silent

void AppendRun::start_watch() {
  if (watching_ || bytes_.room.bytes() == 0) return;
  watching_ = true;
  tasks_.spawn(*executor_, where_ == PartsGo::aside ? watch_aside() : watch());
}

// What is staged was acknowledged to nobody, and there is no other place for it: it may go on while it comes in good
// time, and no longer when it does not.
Awaitable<void> AppendRun::watch_aside() {
  const auto& options = context_.options;
  while (!over_ && !error_ && bytes_.room.bytes() > 0) {
    const auto later = Deadline::after(context_.clock->now(), options.stalled_after);
    const bool asked = co_await nudge_->take(later);
    if (over_ || error_) break;
    const auto now = context_.clock->now();
    if (asked && !wanted_since_) wanted_since_ = now;
    if (!wanted_since_) continue;
    const bool silent = now >= last_bytes_ + options.stalled_after;
    const bool slow = now >= *wanted_since_ + slow_after * options.stalled_after;
    if (!silent && !slow) continue;
    fail_with(Error(ErrorCode::overloaded, "others need the memory"));
    source_.interrupt(BodyState::interrupted);
    break;
  }
  watching_ = false;
}

Awaitable<void> AppendRun::watch() {
  while (!over_ && !error_ && bytes_.room.bytes() > 0) {
    const auto due = last_bytes_ + context_.options.stalled_after;
    const bool asked = co_await nudge_->take(Deadline::at(due));
    if (over_ || error_) break;
    if (!asked && context_.clock->now() < last_bytes_ + context_.options.stalled_after) continue;
    co_await spill(asked ? SpillReason::shortage : SpillReason::stalled);
    last_bytes_ = context_.clock->now();
  }
  watching_ = false;
}

// Puts what has come into `.part`, so that it takes no memory.
Awaitable<void> AppendRun::spill(SpillReason why) {
  // The old one is needed until the parts are there that have its bytes.
  while (in_flight_ > 0 && !error_ && !over_) (void)co_await landed_.take(never);
  if (error_ || over_ || part_size_ == 0) co_return;
  count_arrived();
  if (!co_await make_whole() || in_flight_ > 0) co_return;
  const auto all = bytes_.view(bytes_.size());
  if (bytes_.end() > work_.info().offset) {
    auto kept = co_await work_.put_rest(lease_, all, context_.deadline(all.size));
    if (!kept) co_return fail_with(std::move(kept.error()));
    if (context_.metrics) context_.metrics->spilled(why, all.size);
  }
  // More may have come, and made the part whole, meanwhile.
  if (bytes_.start() != all.start) co_return;
  (void)bytes_.cut(all.size);
  if (!bytes_.empty()) co_return;
  bytes_.restart(sent_end_);
  bytes_.room.release();
  part_size_ = 0;
  holder_.end();
}

}  // namespace tus::s3
