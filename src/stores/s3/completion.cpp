#include "stores/s3/completion.h"

#include <utility>
#include <vector>

namespace tus::s3 {

namespace {

std::vector<PartTag> tags_of(const Ledger& ledger) {
  std::vector<PartTag> tags;
  for (const auto& part : ledger.parts) {
    tags.push_back({static_cast<std::uint32_t>(tags.size() + 1), part.etag});
  }
  return tags;
}

// Bytes whose upload got its length only after them; an object of no bytes has one part, too.
Awaitable<Status> make_last_part(Work& work, const Lease& lease, Deadline deadline) {
  auto& ledger = work.state.ledger;
  if (!ledger.rest_counts()) {
    if (!ledger.parts.empty()) co_return Status();
    auto etag = co_await work.put_part(lease, 1, Payload(), deadline);
    if (!etag) co_return fail(std::move(etag.error()));
    work.count_part({0, *std::move(etag)});
    co_return Status();
  }
  const auto size = ledger.rest->end() - ledger.parts_end;
  co_return co_await make_part_of_rest(work, lease, size, deadline);
}

}  // namespace

Awaitable<Result<ByteRun>> take_rest(Work& work, std::uint64_t size, Deadline deadline) {
  const auto start = work.state.ledger.parts_end;
  ByteRun bytes(work.context().chunks);
  bytes.restart(start);
  bytes.room = co_await work.context().hold(size, deadline);
  if (bytes.room.bytes() == 0) co_return fail(ErrorCode::overloaded, "no memory for a part");
  auto fetched = co_await work.fetch_rest(bytes, start + size, deadline);
  if (!fetched) co_return fail(std::move(fetched.error()));
  if (bytes.size() != size) co_return fail(ErrorCode::internal, "bytes of .part are missing");
  co_return bytes;
}

Awaitable<Status> make_part_of_rest(Work& work, const Lease& lease, std::uint64_t size,
                                    Deadline deadline) {
  auto bytes = co_await take_rest(work, size, deadline);
  if (!bytes) co_return fail(std::move(bytes.error()));
  const auto number = static_cast<std::uint32_t>(work.state.ledger.parts.size() + 1);
  const auto all = bytes->view(size);
  auto etag = co_await work.put_part(lease, number, all.payload, deadline);
  if (!etag) co_return fail(std::move(etag.error()));
  work.count_part({size, *std::move(etag)});
  co_return Status();
}

Awaitable<Status> complete(Work& work, const Lease& lease, Deadline deadline) {
  if (auto may = work.may_write(lease); !may) co_return may;
  if (!work.info().has_all_bytes()) co_return fail(ErrorCode::upload_not_finished);
  if (auto claimed = co_await work.claim(lease, deadline); !claimed) co_return claimed;
  // Another hand was here, or we were, and the answer was lost: then `.part` may be there still.
  if (work.state.has_object) {
    co_await work.remove_rest(deadline);
    co_return Status();
  }
  if (!work.info().has_all_bytes()) co_return fail(ErrorCode::upload_not_finished);
  if (auto whole = co_await make_last_part(work, lease, deadline); !whole) co_return whole;
  auto done = co_await complete_parts(work, lease, tags_of(work.state.ledger), deadline);
  if (!done) co_return done;
  if (work.state.ledger.rest) co_await work.remove_rest(deadline);
  co_return Status();
}

Awaitable<Status> complete_parts(Work& work, const Lease& lease, std::vector<PartTag> parts,
                                 Deadline deadline) {
  if (auto may = work.may_write(lease); !may) co_return may;
  auto& state = work.state;
  auto& bucket = work.context().bucket;
  auto done = co_await bucket.complete_multipart(state.data, std::move(parts), deadline);
  if (!done && done.error().trouble != Trouble::missing) {
    work.become_unsure();
    co_return fail(as_error(std::move(done.error())));
  }
  if (!done) {
    // Done by an earlier call whose answer was lost, or thrown away behind our back.
    auto object = co_await bucket.head_object(state.data.name, deadline);
    const bool missing = !object && object.error().trouble == Trouble::missing;
    if (!object && !missing) co_return fail(as_error(std::move(object.error())));
    const bool ours = object && object->size == work.info().length &&
                      is_marked(object->metadata, state.file.bucket.mark);
    if (!ours) co_return fail(ErrorCode::upload_gone, std::move(done.error().detail));
  }
  state.has_object = true;
  state.has_multipart = false;
  settle(state);
  co_return Status();
}

Awaitable<Status> remove(Work& work, const Lease& lease, Deadline deadline) {
  // From here on it is no upload: what a crash leaves is not one with fewer bytes.
  auto going = co_await work.change(
      lease, [](stores::InfoFile& file) { file.bucket.going = true; }, deadline);
  if (!going) co_return going;
  work.become_gone();
  auto& context = work.context();
  co_return co_await remove_all(context, work.state, deadline);
}

Awaitable<Status> remove_all(Context& context, State state, Deadline deadline) {
  auto& bucket = context.bucket;
  auto aborted = co_await bucket.abort_multipart(state.data, deadline);
  if (!aborted) co_return fail(as_error(std::move(aborted.error())));
  auto object = co_await bucket.head_object(state.data.name, deadline);
  // Somebody else's may lie where a hook wanted this one to go.
  const auto& mark = state.file.bucket.mark;
  const bool there =
      object && (state.has_object || (!mark.empty() && is_marked(object->metadata, mark)));
  if (!object && object.error().trouble != Trouble::missing) {
    co_return fail(as_error(std::move(object.error())));
  }
  if (there) {
    auto gone = co_await bucket.delete_object(state.data.name, deadline);
    if (!gone) co_return fail(as_error(std::move(gone.error())));
  }
  co_return co_await remove_all_but_data(context, std::move(state), deadline);
}

Awaitable<Status> remove_all_but_data(Context& context, State state, Deadline deadline) {
  auto& bucket = context.bucket;
  auto rest = co_await bucket.delete_object(context.names.rest(state.object), deadline);
  if (!rest) co_return fail(as_error(std::move(rest.error())));
  context.rest_is_valid(state.object);
  if (state.file.info.is_final) {
    auto pending = context.names.join_mark(state.file.info.id.str());
    auto unmarked = co_await bucket.delete_object(std::move(pending), deadline);
    if (!unmarked) co_return fail(as_error(std::move(unmarked.error())));
  }
  auto gone = co_await bucket.delete_object(context.names.info(state.object), deadline);
  if (!gone) co_return fail(as_error(std::move(gone.error())));
  co_return Status();
}

}  // namespace tus::s3
