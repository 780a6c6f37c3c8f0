#include "stores/s3/look.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace tus::s3 {

namespace {

using namespace asio::experimental::awaitable_operators;

constexpr std::size_t largest_record = 4 << 20;
constexpr std::uint32_t page = 1000;
constexpr std::uint32_t last_part = 10'000;

// Requests side by side do not see one moment. What does not fit together is looked at again.
constexpr int most_looks = 5;

}  // namespace

Error as_error(Failure failure) {
  switch (failure.trouble) {
    case Trouble::missing:
      return {ErrorCode::upload_gone, std::move(failure.detail)};
    case Trouble::changed:
      return {ErrorCode::lease_lost, std::move(failure.detail)};
    case Trouble::full:
      return {ErrorCode::no_space, std::move(failure.detail)};
    case Trouble::too_large:
      return {ErrorCode::upload_damaged, std::move(failure.detail)};
    default:
      return {ErrorCode::store_unavailable, std::move(failure.detail)};
  }
}

std::optional<std::uint64_t> start_in(const UserMetadata& metadata) {
  for (const auto& [name, value] : metadata) {
    if (name != rest_start_name) continue;
    std::uint64_t start = 0;
    const auto* end = value.data() + value.size();
    const auto [at, error] = std::from_chars(value.data(), end, start);
    if (error == std::errc() && at == end) return start;
  }
  return std::nullopt;
}

// ---- the record

Awaitable<Result<State>> Looker::read_any_record(UploadId id, std::string object,
                                                 Deadline deadline) {
  auto found = co_await bucket_.get_object(names_.info(object), largest_record, "", deadline);
  if (!found) {
    const bool missing = found.error().trouble == Trouble::missing;
    co_return fail(missing ? Error(ErrorCode::upload_not_found)
                           : as_error(std::move(found.error())));
  }
  const auto& record = **found;
  auto file = stores::parse_info(record.bytes, std::move(id));
  if (!file) co_return fail(std::move(file.error()));
  if (auto named = UploadId::parse(file->named)) file->info.id = *std::move(named);
  State state;
  state.file = *std::move(file);
  state.etag = record.look.etag;
  state.object = std::move(object);
  state.data = data_of(names_, state.file);
  state.file.info.last_activity = record.look.last_modified;
  co_return state;
}

Awaitable<Result<bool>> Looker::record_changed(const Glance& seen, Deadline deadline) {
  auto name = names_.info(seen.object);
  auto found = co_await bucket_.get_object(std::move(name), largest_record, seen.etag, deadline);
  if (!found && found.error().trouble == Trouble::missing) co_return true;
  if (!found) co_return fail(as_error(std::move(found.error())));
  co_return found->has_value();
}

Awaitable<Result<State>> Looker::read_record_of(UploadId id, std::string object,
                                                Deadline deadline) {
  auto state = co_await read_any_record(id, std::move(object), deadline);
  if (state && (state->file.bucket.going || state->file.named != id.str())) {
    co_return fail(ErrorCode::upload_not_found);
  }
  co_return state;
}

Awaitable<Result<State>> Looker::read_record(UploadId id, Deadline deadline) {
  auto parts = split_id(id);
  const bool is_split = !parts.multipart.empty();
  auto state = co_await read_record_of(id, std::move(parts.object), deadline);
  if (state || !is_split || !(state.error() == ErrorCode::upload_not_found)) co_return state;
  // An object's name may have a '+', too.
  std::string whole = id.str();
  co_return co_await read_record_of(std::move(id), std::move(whole), deadline);
}

// ---- the data

Awaitable<Answer<std::vector<PartLook>>> parts_between(Bucket& bucket, MultipartName upload,
                                                       std::uint32_t after, std::uint32_t last,
                                                       Deadline deadline) {
  std::vector<PartLook> parts;
  while (true) {
    auto some = co_await bucket.list_parts(upload, after, deadline);
    if (!some) co_return std::unexpected(std::move(some.error()));
    const bool goes_on = !some->at_end && !some->parts.empty();
    for (auto& part : some->parts) {
      after = part.number;
      if (part.number <= last) parts.push_back(std::move(part));
    }
    if (!goes_on || after >= last) co_return parts;
  }
}

Awaitable<Answer<std::vector<PartLook>>> Looker::all_parts(MultipartName upload,
                                                           Deadline deadline) {
  auto first = co_await bucket_.list_parts(upload, 0, deadline);
  if (!first) co_return std::unexpected(std::move(first.error()));
  auto parts = std::move(first->parts);
  if (first->at_end || parts.empty()) co_return parts;
  if (parts.size() < page) {  // pages of another size
    auto rest = co_await parts_between(bucket_, upload, parts.back().number, last_part, deadline);
    if (!rest) co_return rest;
    std::ranges::move(*rest, std::back_inserter(parts));
    co_return parts;
  }
  // Nobody says how many there are, and an empty page costs no more than another.
  const auto begin = parts.back().number;
  const auto third = (last_part - begin + 2) / 3;
  auto [a, b, c] =
      co_await (parts_between(bucket_, upload, begin, begin + third, deadline) &&
                parts_between(bucket_, upload, begin + third, begin + 2 * third, deadline) &&
                parts_between(bucket_, upload, begin + 2 * third, last_part, deadline));
  for (auto* pages : {&a, &b, &c}) {
    if (!*pages) co_return std::unexpected(std::move(pages->error()));
    std::ranges::move(**pages, std::back_inserter(parts));
  }
  co_return parts;
}

Awaitable<Answer<std::optional<Rest>>> Looker::look_at_rest(std::string object, Deadline deadline) {
  auto look = co_await bucket_.head_object(names_.rest(object), deadline);
  if (!look) {
    if (look.error().trouble == Trouble::missing) co_return std::optional<Rest>();
    co_return std::unexpected(std::move(look.error()));
  }
  Rest rest;
  // Go's tusd says nothing: there it always lies behind the last part.
  rest.start = start_in(look->metadata).value_or(Rest::behind_the_parts);
  rest.size = look->size;
  rest.etag = std::move(look->etag);
  rest.changed = look->last_modified;
  co_return rest;
}

// ---- together

// As far as none is missing and none was emptied.
Ledger ledger_of(std::vector<PartLook> parts) {
  Ledger ledger;
  for (auto& part : parts) {
    const bool follows = part.number == ledger.parts.size() + 1 && part.size > 0;
    if (follows && ledger.behind_gap.empty()) {
      ledger.add({part.size, std::move(part.etag)});
      ledger.changed = std::max(ledger.changed, std::optional(part.last_modified));
    } else if (part.size > 0) {
      ledger.behind_gap.push_back(part.number);
    }
  }
  return ledger;
}

Awaitable<Result<State>> Looker::look(UploadId id, Deadline deadline) {
  const auto parts = split_id(id);
  if (parts.multipart.empty()) {
    auto state = co_await read_record(std::move(id), deadline);
    if (!state) co_return state;
    co_return co_await look_at_data(*std::move(state), deadline);
  }
  MultipartName data;
  data.name = names_.data(parts.object);
  data.upload = parts.multipart;
  auto [state, listed, rest] =
      co_await (read_record(std::move(id), deadline) && all_parts(data, deadline) &&
                look_at_rest(parts.object, deadline));
  if (!state) co_return fail(std::move(state.error()));
  const bool elsewhere = state->data.name.bucket != data.name.bucket ||
                         state->data.name.key != data.name.key || state->data.upload != data.upload;
  if (elsewhere) co_return co_await look_at_data(*std::move(state), deadline);
  co_return co_await combine(*std::move(state), std::move(listed), std::move(rest), deadline);
}

Awaitable<Result<State>> Looker::look_at_data(State state, Deadline deadline) {
  if (state.file.info.finish == FinishState::finished && state.file.info.length) {
    co_return co_await combine(std::move(state), std::vector<PartLook>(), std::nullopt, deadline);
  }
  auto [listed, rest] =
      co_await (all_parts(state.data, deadline) && look_at_rest(state.object, deadline));
  co_return co_await combine(std::move(state), std::move(listed), std::move(rest), deadline);
}

Awaitable<Result<State>> Looker::combine(State state, Answer<std::vector<PartLook>> parts,
                                         Answer<std::optional<Rest>> rest, Deadline deadline) {
  const auto& info = state.file.info;
  // It says so itself, once everything else is in place.
  if (info.finish == FinishState::finished && info.length) {
    state.has_object = true;
    state.has_multipart = false;
    settle(state);
    co_return state;
  }
  for (int look = 1;; ++look) {
    if (!parts && parts.error().trouble == Trouble::missing) {
      co_return co_await without_multipart(std::move(state), deadline);
    }
    if (!parts) co_return fail(as_error(std::move(parts.error())));
    if (!rest) co_return fail(as_error(std::move(rest.error())));
    state.ledger = ledger_of(*std::move(parts));
    state.ledger.rest = *std::move(rest);
    auto& there = state.ledger.rest;
    if (there && there->start == Rest::behind_the_parts) {
      there->start = state.ledger.parts_end;
      there->is_astray = !state.ledger.behind_gap.empty();
    }
    settle(state);
    const bool gap = there && there->start > state.ledger.parts_end;
    const bool behind = !info.join_pending && info.offset < state.file.bucket.safe;
    if (!gap && !behind) break;
    if (look == most_looks) {
      // Rather no answer than an offset that is smaller than one that was told.
      co_return fail(ErrorCode::store_unavailable,
                     "the list of parts is behind: " + state.data.name.key);
    }
    auto again = co_await (all_parts(state.data, deadline) && look_at_rest(state.object, deadline));
    parts = std::move(std::get<0>(again));
    rest = std::move(std::get<1>(again));
  }
  if (info.length && info.offset > *info.length) {
    co_return fail(ErrorCode::upload_damaged, "more bytes than the upload's length");
  }
  // Go's tusd has died before it completed it, and says nothing of ends in its records.
  const bool is_gos = state.file.bucket.mark.empty();
  if (is_gos && info.finish == FinishState::derived && info.has_all_bytes()) {
    state.file.info.finish = FinishState::pending;
  }
  co_return state;
}

bool is_marked(const UserMetadata& metadata, const std::string& mark) {
  // Go's tusd leaves none.
  if (mark.empty()) return true;
  return std::ranges::any_of(metadata, [&mark](const auto& pair) {
    return pair.first == mark_name && pair.second == mark;
  });
}

// Completed, terminated just now, or thrown away behind our back.
Awaitable<Result<State>> Looker::without_multipart(State state, Deadline deadline) {
  const auto& info = state.file.info;
  state.has_multipart = false;
  auto object = co_await bucket_.head_object(state.data.name, deadline);
  if (object && info.length == object->size &&
      is_marked(object->metadata, state.file.bucket.mark)) {
    state.has_object = true;
    settle(state);
    if (!info.last_activity) state.file.info.last_activity = object->last_modified;
    co_return state;
  }
  if (!object && object.error().trouble != Trouble::missing) {
    co_return fail(as_error(std::move(object.error())));
  }
  auto record = co_await read_record(info.id, deadline);
  if (!record) co_return record;
  if (record->etag != state.etag && record->data.upload != state.data.upload) {
    co_return co_await look_at_data(*std::move(record), deadline);  // made anew meanwhile
  }
  co_return fail(ErrorCode::upload_gone,
                 "neither its multipart upload nor its object is there: " + state.data.name.key);
}

}  // namespace tus::s3
