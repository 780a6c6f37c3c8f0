#include "stores/s3/work.h"

#include <algorithm>
#include <utility>

namespace tus::s3 {

namespace {

constexpr std::string_view write_name = "tusd-write";  // user metadata of `.part`
constexpr int most_attempts = 8;
constexpr std::size_t fetch_step = 256 << 10;

Payload payload_of(std::string_view text) {
  Payload payload;
  payload.pieces.push_back(std::as_bytes(std::span(text)));
  return payload;
}

}  // namespace

Work::Work(Context& context, State s, std::optional<ByteRun> t)
    : state(std::move(s)),
      tail(std::move(t)),
      context_(context),
      presence_(context.warm.presence(state.file.info.id)),
      ticket_(1 + presence_->latest.fetch_add(1)) {}

Work::~Work() {
  const bool is_last = presence_->latest.load() == ticket_;
  if (!sure_ || presence_->gone || !is_last || !context_.is_ours(state.file)) return;
  try {
    context_.warm.put(Warm{std::move(state), std::move(tail)});
  } catch (...) {
    // Then it is looked at again.
  }
}

Status Work::may_write(const Lease& lease) const {
  if (lease.lost()) return fail(ErrorCode::lease_lost);
  if (presence_->gone) return fail(ErrorCode::upload_gone);
  return {};
}

void Work::become_unsure() noexcept {
  sure_ = false;
  claimed_ = false;
  tail.reset();
}

void Work::set_digest(UploadDigest digest) {
  state.file.info.digest = std::move(digest);
  new_digest_ = true;
}

void Work::become_gone() noexcept {
  presence_->gone = true;
  context_.warm.forget(info().id);
}

Awaitable<Status> Work::reload(Deadline deadline) {
  auto looked = co_await context_.looker.look(info().id, deadline);
  if (!looked) {
    become_unsure();
    const bool missing = looked.error() == ErrorCode::upload_not_found;
    co_return fail(missing ? Error(ErrorCode::upload_gone) : looked.error());
  }
  auto digest = std::move(state.file.info.digest);
  state = *std::move(looked);
  if (new_digest_) state.file.info.digest = std::move(digest);
  tail.reset();
  sure_ = true;
  co_return Status();
}

// Two hands on one upload are not meant to be, but a lease may be lost and not yet noticed.
Awaitable<Status> Work::be_sure(Deadline deadline) {
  if (presence_->latest.load() != ticket_) {
    ticket_ = 1 + presence_->latest.fetch_add(1);
    context_.warm.forget(info().id);
    become_unsure();
  }
  if (sure_) co_return Status();
  co_return co_await reload(deadline);
}

// ---- the record

Awaitable<Status> Work::put_record(stores::InfoFile next, Deadline deadline) {
  next.bucket.claim = context_.new_claim();
  next.bucket.safe = info().join_pending ? 0 : info().offset;
  const auto name = context_.names.info(state.object);
  const auto text = stores::write_info(next);
  Condition condition;
  if (context_.knows_conditions) condition.if_match = state.etag;
  auto put = co_await context_.bucket.put_object(name, payload_of(text), {}, condition, deadline);
  if (!put && put.error().trouble == Trouble::unsupported && condition.if_match) {
    context_.knows_conditions = false;
    auto valid = co_await validate(deadline);
    if (!valid) co_return valid;
    put = co_await context_.bucket.put_object(name, payload_of(text), {}, {}, deadline);
  }
  if (!put) {
    const auto what = put.error().trouble;
    const bool missing = what == Trouble::missing;
    if (what != Trouble::changed && !missing) become_unsure();
    co_return fail(missing ? Error(ErrorCode::lease_lost) : as_error(std::move(put.error())));
  }
  auto settled = info().offset;
  auto active = info().last_activity;
  state.file = std::move(next);
  state.file.info.offset = settled;
  if (!state.file.info.last_activity) state.file.info.last_activity = active;
  state.etag = *std::move(put);
  settle(state);
  claimed_ = true;
  new_digest_ = false;
  co_return Status();
}

// Without conditions for writes: at least nobody has changed the record before. Error: lease_lost.
Awaitable<Status> Work::validate(Deadline deadline) {
  auto name = context_.names.info(state.object);
  auto look = co_await context_.bucket.head_object(std::move(name), deadline);
  if (!look && look.error().trouble == Trouble::missing) co_return fail(ErrorCode::lease_lost);
  if (!look) co_return fail(as_error(std::move(look.error())));
  co_return look->etag == state.etag ? Status() : Status(fail(ErrorCode::lease_lost));
}

Awaitable<Status> Work::change(const Lease& lease, Change change, Deadline deadline) {
  for (int attempt = 1;; ++attempt) {
    if (auto may = may_write(lease); !may) co_return may;
    if (auto sure = co_await be_sure(deadline); !sure) co_return sure;
    if (!context_.knows_conditions && !context_.alone()) {
      if (auto valid = co_await validate(deadline); !valid) {
        if (auto seen = co_await reload(deadline); !seen) co_return seen;
      }
    }
    auto next = state.file;
    change(next);
    auto put = co_await put_record(std::move(next), deadline);
    if (put || !(put.error() == ErrorCode::lease_lost) || attempt == most_attempts) co_return put;
    // Somebody else has written it, or we have, and the answer was lost.
    if (auto seen = co_await reload(deadline); !seen) co_return seen;
  }
}

Awaitable<Status> Work::claim(const Lease& lease, Deadline deadline) {
  if (auto may = may_write(lease); !may) co_return may;
  if (auto sure = co_await be_sure(deadline); !sure) co_return sure;
  if (claimed_ || context_.alone()) co_return Status();
  co_return co_await change(lease, [](stores::InfoFile&) {}, deadline);
}

Awaitable<Status> Work::claim_for_parts(const Lease& lease, std::uint64_t first_part,
                                        Deadline deadline) {
  if (auto may = may_write(lease); !may) co_return may;
  if (auto sure = co_await be_sure(deadline); !sure) co_return sure;
  // Of an upload with a known length the list of parts says enough.
  const bool is_said =
      state.file.bucket.part_size > 0 || (!state.ledger.parts.empty() && info().length);
  if (is_said) co_return co_await claim(lease, deadline);
  const auto say = [this, first_part](stores::InfoFile& file) {
    if (file.bucket.part_size > 0) return;
    file.bucket.part_size = state.ledger.parts.empty() ? first_part : first_size(state);
    file.bucket.doubles = !file.info.length;
  };
  co_return co_await change(lease, say, deadline);
}

// ---- parts

Awaitable<Result<std::string>> Work::put_part(const Lease& lease, std::uint32_t number,
                                              Payload payload, Deadline deadline) {
  if (auto may = may_write(lease); !may) co_return fail(std::move(may.error()));
  const Sending sending(context_.sending, payload.size());
  auto put = co_await context_.bucket.put_part(state.data, number, std::move(payload), deadline);
  if (!put) co_return fail(as_error(std::move(put.error())));
  co_return *std::move(put);
}

void Work::count_part(StoredPart part) {
  auto& ledger = state.ledger;
  ledger.add(std::move(part));
  ledger.changed = context_.wall();
  if (ledger.rest && ledger.rest->size > 0 && !ledger.rest_counts())
    context_.rest_is_stale(state.object);
  settle(state);
}

Awaitable<Status> Work::empty_gaps(const Lease& lease, Deadline deadline) {
  auto& numbers = state.ledger.behind_gap;
  if (auto& rest = state.ledger.rest; rest && rest->is_astray) {
    // Once those parts are empty, nothing would say any more that it does not belong here.
    auto gone = co_await context_.bucket.delete_object(context_.names.rest(state.object), deadline);
    if (!gone) co_return fail(as_error(std::move(gone.error())));
    rest.reset();
  }
  while (!numbers.empty()) {
    auto put = co_await put_part(lease, numbers.back(), Payload(), deadline);
    if (!put) co_return fail(std::move(put.error()));
    numbers.pop_back();
  }
  co_return Status();
}

// ---- the rest

Awaitable<Status> Work::put_rest(const Lease& lease, const Slice& bytes, Deadline deadline) {
  if (auto may = may_write(lease); !may) co_return may;
  const Sending sending(context_.sending, bytes.size);
  auto& rest = state.ledger.rest;
  const auto write = context_.new_claim();
  const auto name = context_.names.rest(state.object);
  ObjectHeaders headers;
  headers.metadata = {{std::string(rest_start_name), std::to_string(bytes.start)},
                      {std::string(write_name), write}};
  // What a request does that nobody waits for any more must not take the place of a newer one.
  Condition condition;
  if (context_.knows_conditions) {
    condition.if_absent = !rest;
    if (rest) condition.if_match = rest->etag;
  }
  auto put = co_await context_.bucket.put_object(name, bytes.payload, headers, condition, deadline);
  if (!put && put.error().trouble == Trouble::unsupported && context_.knows_conditions) {
    context_.knows_conditions = false;
    put = co_await context_.bucket.put_object(name, bytes.payload, headers, {}, deadline);
  }
  if (put) {
    rest = Rest{bytes.start, bytes.size, *std::move(put), context_.wall()};
  } else {
    const auto what = put.error().trouble;
    if (what != Trouble::changed && what != Trouble::missing) {
      if (what != Trouble::full) become_unsure();
      co_return fail(as_error(std::move(put.error())));
    }
    // Ours, whose answer was lost, or another writer's.
    auto found = co_await find_rest(write, deadline);
    if (!found) co_return found;
  }
  context_.rest_is_valid(state.object);
  settle(state);
  co_return Status();
}

Awaitable<Status> Work::find_rest(const std::string& write, Deadline deadline) {
  auto look = co_await context_.bucket.head_object(context_.names.rest(state.object), deadline);
  become_unsure();
  if (!look) {
    const bool missing = look.error().trouble == Trouble::missing;
    co_return fail(missing ? Error(ErrorCode::lease_lost) : as_error(std::move(look.error())));
  }
  const bool ours = std::ranges::any_of(look->metadata, [&write](const auto& pair) {
    return pair.first == write_name && pair.second == write;
  });
  if (!ours) co_return fail(ErrorCode::lease_lost, "another writer has replaced .part");
  co_return co_await reload(deadline);
}

Awaitable<void> Work::remove_rest(Deadline deadline) {
  auto gone = co_await context_.bucket.delete_object(context_.names.rest(state.object), deadline);
  if (!gone) {
    context_.logger->log(LogLevel::warn, "PartObjectNotRemoved",
                         {{"id", info().id.str()}, {"cause", gone.error().detail}});
    co_return;
  }
  context_.rest_is_valid(state.object);
  state.ledger.rest.reset();
}

Awaitable<Status> Work::fetch_rest(ByteRun& run, std::uint64_t until, Deadline deadline) {
  const auto& rest = state.ledger.rest;
  if (!state.ledger.rest_counts() || until > rest->end() || run.end() >= until) co_return Status();
  ByteRange range{run.end() - rest->start, until - run.end()};
  auto stream =
      co_await context_.bucket.open_object(context_.names.rest(state.object), range, deadline);
  if (!stream) {
    become_unsure();
    co_return fail(ErrorCode::store_unavailable, std::move(stream.error().detail));
  }
  if ((*stream)->look().etag != rest->etag) {
    become_unsure();
    co_return fail(ErrorCode::lease_lost, "another writer has replaced .part");
  }
  while (run.end() < until) {
    const auto most = std::min<std::uint64_t>(until - run.end(), fetch_step);
    auto read = co_await (*stream)->read(run.space(static_cast<std::size_t>(most)), deadline);
    if (!read) co_return fail(as_error(std::move(read.error())));
    if (*read == 0) co_return fail(ErrorCode::store_unavailable, ".part is shorter than it was");
    run.grow(*read);
  }
  co_return Status();
}

}  // namespace tus::s3
