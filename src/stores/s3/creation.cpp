#include "stores/s3/creation.h"

#include "stores/s3/bytes_source.h"
#include "stores/s3/completion.h"
#include "stores/s3/object_headers.h"

#include <algorithm>
#include <utility>

namespace tus::s3 {

namespace {

constexpr std::size_t longest_key = 1024;

Payload payload_of(std::span<const std::byte> bytes) {
  Payload payload;
  if (!bytes.empty()) payload.pieces.push_back(bytes);
  return payload;
}

bool is_bucket(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
  };
  return name.size() >= 3 && name.size() <= 63 && std::ranges::all_of(name, fits);
}

bool is_key(std::string_view key) {
  const auto fits = [](unsigned char c) { return c >= 0x20 && c != 0x7F; };
  return !key.empty() && key.size() <= longest_key && std::ranges::all_of(key, fits);
}

std::string wish(const UploadDraft& draft, const char* key) {
  auto it = draft.storage.find(key);
  return it == draft.storage.end() ? std::string() : it->second;
}

// Where the data is to go, with what a hook has wished for.
Result<ObjectName> data_name(const Context& context, const UploadDraft& draft) {
  auto name = context.names.data(draft.id.str());
  if (auto bucket = wish(draft, "Bucket"); !bucket.empty()) name.bucket = std::move(bucket);
  if (auto key = wish(draft, "Key"); !key.empty()) name.key = std::move(key);
  if (!is_bucket(name.bucket) && name.bucket != context.names.bucket()) {
    return fail(ErrorCode::internal, "no bucket has this name: " + name.bucket);
  }
  if (!is_key(name.key)) return fail(ErrorCode::internal, "no object has this name: " + name.key);
  return name;
}

// Of a draft that was placed: the mark of its object, and the multipart upload.
std::pair<std::string, std::string> read_place(const std::string& place) {
  const auto line = std::min(place.find('\n'), place.size());
  return {place.substr(0, line), place.substr(std::min(line + 1, place.size()))};
}

stores::InfoFile file_of(UploadDraft draft) {
  stores::InfoFile file;
  auto [mark, multipart] = read_place(draft.place);
  auto& info = file.info;
  info = info_of(std::move(draft));
  // Not before the object is there.
  if (info.finish == FinishState::finished) info.finish = FinishState::pending;
  file.bucket.mark = std::move(mark);
  const bool in_id = info.id.str().ends_with("+" + multipart);
  if (!in_id) file.bucket.multipart = std::move(multipart);
  return file;
}

}  // namespace

// ---- the place

enum class NameIt : std::uint8_t { in_id, in_record };

Awaitable<Result<UploadDraft>> begin_multipart(Context& context, UploadDraft draft, NameIt where,
                                               Deadline deadline) {
  if (draft.length && *draft.length > context.options.parts.largest_object) {
    co_return fail(ErrorCode::max_size_exceeded);
  }
  auto name = data_name(context, draft);
  if (!name) co_return fail(std::move(name.error()));
  auto mark = context.new_claim();
  auto headers = object_headers(context.options, draft.metadata, mark);
  auto begun = co_await context.bucket.create_multipart(*name, std::move(headers), deadline);
  if (!begun) co_return fail(as_error(std::move(begun.error())));
  if (where == NameIt::in_id) {
    if (auto id = join_id(draft.id.str(), *begun)) draft.id = *std::move(id);
  }
  draft.storage = {
      {"Type", "s3store"}, {"Bucket", std::move(name->bucket)}, {"Key", std::move(name->key)}};
  draft.place = mark + "\n" + *begun;
  co_return draft;
}

Awaitable<Result<UploadDraft>> place(Context& context, UploadDraft draft, Deadline deadline) {
  return begin_multipart(context, std::move(draft), NameIt::in_id, deadline);
}

Awaitable<void> give_up_place(Context& context, UploadDraft draft, Deadline deadline) {
  MultipartName data;
  data.name = {draft.storage["Bucket"], draft.storage["Key"]};
  data.upload = read_place(draft.place).second;
  auto gone = co_await context.bucket.abort_multipart(std::move(data), deadline);
  if (gone) co_return;
  context.logger->log(LogLevel::warn, "MultipartUploadNotRemoved",
                      {{"id", draft.id.str()}, {"cause", gone.error().detail}});
}

// ---- the upload

Awaitable<Result<std::unique_ptr<Upload>>> Creation::make(UploadDraft draft) {
  if (lease_.lost()) co_return fail(ErrorCode::lease_lost);
  const bool finish_it = draft.finish == FinishState::finished;
  is_placed_ = !draft.place.empty();
  auto begun = co_await begin(std::move(draft));
  if (!begun) co_return fail(std::move(begun.error()));
  State state = *std::move(begun);
  // Nobody can have an id with the name of a multipart upload that we have just made.
  const bool at_once = finish_it && is_placed_ && lease_.token() == 0;
  auto done = at_once ? co_await make_at_once(state) : co_await put_record(state);
  if (!done) {
    co_await take_back(std::move(state), done.error());
    co_return fail(std::move(done.error()));
  }
  settle(state);
  auto upload = std::make_unique<S3Upload>(context_, std::move(state), std::nullopt);
  if (at_once) co_return upload;
  done = co_await fill(*upload);
  if (done && finish_it) done = co_await upload->finish_and_record(lease_, deadline_);
  if (done) co_return upload;
  auto gone = co_await upload->terminate(lease_, context_.deadline());
  if (!gone) {
    context_.logger->log(LogLevel::warn, "CreationNotTakenBack",
                         {{"id", upload->info().id.str()}, {"cause", gone.error().detail()}});
  }
  co_return fail(std::move(done.error()));
}

Awaitable<Result<State>> Creation::begin(UploadDraft draft) {
  if (!is_placed_) {
    auto placed =
        co_await begin_multipart(context_, std::move(draft), NameIt::in_record, deadline_);
    if (!placed) co_return fail(std::move(placed.error()));
    draft = *std::move(placed);
  }
  State state;
  state.file = file_of(std::move(draft));
  auto& info = state.file.info;
  info.last_activity = context_.wall();
  // No request of its own is needed then to say it.
  if (info.length && !info.is_final) {
    const auto only = only_first_part_size(context_.options.parts, *info.length);
    state.file.bucket.part_size = only.value_or(0);
  }
  const auto& id = info.id;
  state.object = state.file.bucket.multipart.empty() ? split_id(id).object : id.str();
  state.data = data_of(context_.names, state.file);
  co_return state;
}

// All bytes are here: parts, object and record, and nothing has to be written twice.
Awaitable<Status> Creation::make_at_once(State& state) {
  auto& bucket = context_.bucket;
  auto etag = co_await bucket.put_part(state.data, 1, payload_of(first_), deadline_);
  if (!etag) co_return fail(as_error(std::move(etag.error())));
  std::vector<PartTag> tags{{1, *std::move(etag)}};
  auto done = co_await bucket.complete_multipart(state.data, std::move(tags), deadline_);
  if (!done) co_return fail(as_error(std::move(done.error())));
  state.has_object = true;
  state.has_multipart = false;
  state.file.info.finish = FinishState::finished;
  co_return co_await put_record(state);
}

Awaitable<Status> Creation::put_record(State& state) {
  if (state.file.info.join_pending) {
    if (auto marked = co_await mark_join(state); !marked) co_return marked;
  }
  const NamesInMaking::Hold making(context_.making, state.object);
  if (!making.is_ours()) co_return fail(ErrorCode::upload_exists);
  const auto name = context_.names.info(state.object);
  state.file.bucket.claim = context_.new_claim();
  const auto text = stores::write_info(state.file);
  const auto bytes = payload_of(std::as_bytes(std::span(text)));
  for (int attempt = 1; attempt <= 2; ++attempt) {
    if (lease_.lost()) co_return fail(ErrorCode::lease_lost);
    Condition absent;
    absent.if_absent = context_.knows_conditions;
    if (!absent.if_absent) {
      auto other = co_await context_.bucket.head_object(name, deadline_);
      if (other) co_return fail(ErrorCode::upload_exists);
    }
    auto put = co_await context_.bucket.put_object(name, bytes, {}, absent, deadline_);
    if (put) {
      state.etag = *std::move(put);
      co_return Status();
    }
    const auto what = put.error().trouble;
    if (what == Trouble::unsupported && absent.if_absent) {
      context_.knows_conditions = false;
      continue;
    }
    if (what != Trouble::changed) co_return fail(as_error(std::move(put.error())));
    auto clear = co_await clear_the_way(state);
    if (!clear || !state.etag.empty()) co_return clear;
  }
  co_return fail(ErrorCode::upload_exists);
}

// There is a record. Ours, if the answer was lost: then the state has its etag.
Awaitable<Status> Creation::clear_the_way(State& state) {
  auto other =
      co_await context_.looker.read_any_record(state.file.info.id, state.object, deadline_);
  if (!other && other.error() == ErrorCode::upload_not_found) co_return Status();
  if (!other) co_return fail(std::move(other.error()));
  if (other->file.bucket.claim == state.file.bucket.claim) {
    state.etag = other->etag;
    co_return Status();
  }
  // What a termination has left that was cut off; without the lock it may still be running.
  if (!other->file.bucket.going || lease_.token() == 0) co_return fail(ErrorCode::upload_exists);
  co_return co_await remove_all(context_, *std::move(other), deadline_);
}

Awaitable<Status> Creation::mark_join(const State& state) {
  auto name = context_.names.join_mark(state.file.info.id.str());
  auto put = co_await context_.bucket.put_object(std::move(name), {}, {}, {}, deadline_);
  if (!put) co_return fail(as_error(std::move(put.error())));
  co_return Status();
}

Awaitable<Status> Creation::fill(S3Upload& upload) {
  if (first_.empty()) co_return Status();
  BytesSource source(first_);
  auto taken = co_await upload.append(lease_, source, AppendRequest(0), deadline_);
  if (taken.error) co_return fail(*std::move(taken.error));
  co_return Status();
}

// Nothing of an upload that was not made is left, as far as it can be helped; and nothing of one that has
// the id already is touched.
Awaitable<void> Creation::take_back(State state, const Error& why) {
  const auto deadline = context_.deadline();
  auto& bucket = context_.bucket;
  if (!(why == ErrorCode::upload_exists)) {
    auto there =
        co_await context_.looker.read_any_record(state.file.info.id, state.object, deadline);
    if (there && there->file.bucket.claim == state.file.bucket.claim) {
      (void)co_await bucket.delete_object(context_.names.info(state.object), deadline);
    }
    if (state.file.info.join_pending) {
      auto mark = context_.names.join_mark(state.file.info.id.str());
      (void)co_await bucket.delete_object(std::move(mark), deadline);
    }
  }
  if (!is_placed_) (void)co_await bucket.abort_multipart(state.data, deadline);
  auto object = co_await bucket.head_object(state.data.name, deadline);
  if (object && is_marked(object->metadata, state.file.bucket.mark)) {
    (void)co_await bucket.delete_object(state.data.name, deadline);
  }
}

}  // namespace tus::s3
