#include "testing/part_look.h"

#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

// One look; what was read may be of several moments.
Awaitable<Result<Seen>> look_once(FakeBucket& bucket, UploadId id) {
  auto record = co_await bucket.get_record(id);
  if (!record) co_return fail(record.error());
  if (record->going) co_return fail(ErrorCode::upload_not_found);
  Seen seen;
  seen.record = *std::move(record);
  auto& info = seen.record.info;
  info.offset = 0;
  // In the order in which bytes go: from a rest into a part, from the parts into the object.
  auto rest = co_await bucket.get_rest(id, seen.record.live_rest);
  if (!rest) co_return fail(rest.error());
  auto sizes = co_await bucket.part_sizes(id);
  if (!sizes) co_return fail(sizes.error());
  auto object = co_await bucket.object_size(id);
  if (!object) co_return fail(object.error());
  if (*object) {
    seen.has_object = true;
    info.offset = info.join_pending ? 0 : **object;
    co_return seen;
  }
  if (info.join_pending) co_return seen;
  auto pending = seen.record.pending_parts;
  for (auto size : *sizes) {
    if (pending && seen.parts == *pending) break;
    info.offset += size;
    ++seen.parts;
  }
  // A .part object that a part has swallowed says so by its number: it is not counted twice.
  if (*rest && (*rest)->after == seen.parts) seen.rest = std::move((*rest)->bytes);
  info.offset += seen.rest.size();
  co_return seen;
}

}  // namespace

Awaitable<Result<Seen>> look(FakeBucket& bucket, UploadId id) {
  while (true) {
    auto seen = co_await look_once(bucket, id);
    if (!seen) co_return fail(seen.error());
    auto record = co_await bucket.get_record(id);
    if (!record) co_return fail(record.error());
    if (record->version == seen->record.version) co_return seen;
  }
}

}  // namespace testing

TUS_NAMESPACE_END
