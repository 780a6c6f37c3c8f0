#include "hooks/bucket/dead_letters.h"

#include "hooks/common/record_name.h"

#include <algorithm>
#include <utility>

namespace tus::hooks {

Awaitable<Result<std::vector<OutboxEntry>>> DeadLetters::list() {
  std::vector<OutboxEntry> entries;
  auto listed = co_await objects_.list(objects_.keys.dead(), [&](const s3::ListedObject& object) {
    if (auto entry = objects_.keys.dead_at(object.key)) entries.push_back(*std::move(entry));
    return true;
  });
  if (!listed) co_return fail(std::move(listed.error()));
  std::ranges::sort(entries, {}, &OutboxEntry::name);
  co_return entries;
}

Awaitable<Result<std::string>> DeadLetters::read(OutboxEntry entry) {
  co_return co_await objects_.get(objects_.keys.dead(entry), objects_.deadline());
}

Awaitable<Status> DeadLetters::replay(OutboxEntry entry,
                                      std::chrono::system_clock::time_point now) {
  auto text = co_await read(entry);
  if (!text) co_return fail(std::move(text.error()));
  auto again = with_time(entry, now);
  again.name = name_with_owner(std::move(again.name), nobody);
  // The mark first: a record without it might be asked whether it has happened, of an upload that is gone by now.
  auto marked = co_await objects_.put(objects_.keys.mark(again), "\n", objects_.deadline());
  if (!marked) co_return marked;
  auto put =
      co_await objects_.put(objects_.keys.record(again), *std::move(text), objects_.deadline());
  if (!put) co_return put;
  co_return co_await objects_.remove(objects_.keys.dead(entry), objects_.deadline());
}

}  // namespace tus::hooks
