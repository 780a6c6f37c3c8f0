#include "stores/s3/left_overs.h"

#include "stores/s3/completion.h"

#include <utility>

namespace tus::s3 {

// `<object>+<multipart upload>`, as an upload would be called that was made of it.
std::optional<UploadId> left_over_of(const Context& context, const ListedMultipart& upload) {
  std::string_view key = upload.key;
  if (!key.starts_with(context.names.data_prefix())) return std::nullopt;
  key.remove_prefix(context.names.data_prefix().size());
  if (!UploadId::parse(key)) return std::nullopt;
  return join_id(std::string(key), upload.upload);
}

namespace {

// Whether the name of this upload can never be that of another one, or nobody else can be making one.
bool is_only_one(const UploadId& id, const Lease& lease) {
  return !split_id(id).multipart.empty() || lease.token() != 0;
}

// A record without anything that it could be a record of: its multipart upload was thrown away behind our back,
// or S3 has written it after its creation was given up.
Awaitable<Result<bool>> remove_hollow(Context& context, UploadId id, State state,
                                      std::chrono::sys_seconds idle_since, Deadline deadline) {
  // Go's tusd does not mark its objects: there is no telling whether it is somewhere else by now.
  const bool ours = !state.file.bucket.mark.empty();
  if (!ours || state.file.info.last_activity >= idle_since) co_return false;
  auto look = co_await context.looker.look(std::move(id), deadline);
  if (look || !(look.error() == ErrorCode::upload_gone)) co_return false;
  // Never an object: should one have come meanwhile, it is whole.
  auto removed = co_await remove_all_but_data(context, std::move(state), deadline);
  if (!removed) co_return fail(std::move(removed.error()));
  co_return true;
}

}  // namespace

Awaitable<Result<bool>> go_on_terminating(Context& context, UploadId id, const Lease& lease,
                                          Deadline deadline) {
  if (!is_only_one(id, lease)) co_return false;
  auto state = co_await context.looker.read_any_record(id, split_id(id).object, deadline);
  if (!state && state.error() == ErrorCode::store_unavailable) {
    co_return fail(std::move(state.error()));
  }
  if (!state || !state->file.bucket.going || state->file.named != id.str()) co_return false;
  if (lease.lost()) co_return fail(ErrorCode::lease_lost);
  auto removed = co_await remove_all(context, *std::move(state), deadline);
  if (!removed) co_return fail(std::move(removed.error()));
  co_return true;
}

Awaitable<Result<std::optional<std::uint64_t>>> remove_left_over(
    Context& context, UploadId id, const Lease& lease, std::chrono::sys_seconds idle_since,
    Deadline deadline) {
  if (lease.lost()) co_return fail(ErrorCode::lease_lost);
  auto ended = co_await go_on_terminating(context, id, lease, deadline);
  if (!ended) co_return fail(std::move(ended.error()));
  if (*ended) co_return 0;
  const auto parts = split_id(id);
  if (parts.multipart.empty()) co_return std::nullopt;
  // A record may name it under an id without it, or with another place for its data.
  auto state = co_await context.looker.read_any_record(id, parts.object, deadline);
  if (state && state->data.upload == parts.multipart) {
    auto hollow = co_await remove_hollow(context, id, *std::move(state), idle_since, deadline);
    if (!hollow) co_return fail(std::move(hollow.error()));
    co_return *hollow ? std::optional<std::uint64_t>(0) : std::nullopt;
  }
  if (!state && !(state.error() == ErrorCode::upload_not_found)) {
    co_return fail(std::move(state.error()));
  }
  MultipartName upload{context.names.data(parts.object), parts.multipart};
  auto look = co_await context.bucket.list_parts(upload, 0, deadline);
  if (!look && look.error().trouble == Trouble::missing) co_return std::nullopt;
  if (!look) co_return fail(as_error(std::move(look.error())));
  std::uint64_t bytes = 0;
  for (const auto& part : look->parts) {
    if (part.last_modified >= idle_since) co_return std::nullopt;
    bytes += part.size;
  }
  auto gone = co_await context.bucket.abort_multipart(std::move(upload), deadline);
  if (!gone) co_return fail(as_error(std::move(gone.error())));
  co_return bytes;
}

namespace {

Awaitable<void> abort_old_multiparts(Context& context, const ObjectName& prefix,
                                     std::chrono::sys_seconds idle_since, Deadline deadline) {
  MultipartPage page;
  do {
    auto next = co_await context.bucket.list_multiparts(prefix.bucket, prefix.key, page.key_marker,
                                                        page.upload_marker, deadline);
    if (!next) co_return;
    page = *std::move(next);
    for (auto& upload : page.uploads) {
      if (upload.initiated >= idle_since) continue;
      MultipartName name{{prefix.bucket, std::move(upload.key)}, std::move(upload.upload)};
      (void)co_await context.bucket.abort_multipart(std::move(name), deadline);
    }
  } while (!page.at_end);
}

}  // namespace

Awaitable<void> remove_old_staged(Context& context, std::chrono::sys_seconds idle_since,
                                  Deadline deadline) {
  const auto prefix = context.names.staged("");
  co_await abort_old_multiparts(context, prefix, idle_since, deadline);
  std::string after;
  while (true) {
    auto page = co_await context.bucket.list_objects(prefix.bucket, prefix.key, after, deadline);
    if (!page) co_return;
    for (const auto& object : page->objects) {
      if (object.last_modified >= idle_since) continue;
      (void)co_await context.bucket.delete_object({prefix.bucket, object.key}, deadline);
    }
    if (page->at_end || page->objects.empty()) co_return;
    after = std::move(page->objects.back().key);
  }
}

}  // namespace tus::s3
