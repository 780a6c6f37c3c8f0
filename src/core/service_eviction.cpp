// The part of the service that makes room for new uploads by ending others.
#include "core/eviction.h"
#include "core/request_log.h"
#include "core/upload_service.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tus::core {

namespace {

// Whatever room was made, somebody else may have been faster.
constexpr int most_attempts = 4;

// How long a stop may have to wait for it.
constexpr std::chrono::seconds preparing_step{1};

}  // namespace

// A store that keeps to a limit counts before its first decision. Here nobody has to wait for it yet.
Awaitable<void> UploadService::prepare_store() {
  while (!jobs_.closing()) {
    const auto deadline = Deadline::after(parts_.clock->now(), preparing_step);
    auto prepared = co_await parts_.store->prepare(deadline);
    if (prepared) co_return;
    if (deadline.passed(parts_.clock->now())) continue;
    parts_.logger->log(LogLevel::warn, "StoreNotPrepared", {{"cause", prepared.error().detail()}});
    co_return;
  }
}

Awaitable<Result<std::unique_ptr<Upload>>> UploadService::create_in_store(
    UploadDraft draft, const Lease& lease, std::span<const std::byte> first) {
  if (options_.evict == EvictOrder::none) {
    co_return co_await parts_.store->create(std::move(draft), lease, first, store_deadline());
  }
  auto made = co_await parts_.store->create(draft, lease, first, store_deadline());
  if (made || !(made.error() == ErrorCode::no_space)) co_return made;
  const auto pass = co_await evictions_.enter(store_deadline());
  for (int attempt = 0; pass && attempt < most_attempts; ++attempt) {
    // Whoever went before us may have made more room than it needed.
    made = co_await parts_.store->create(draft, lease, first, store_deadline());
    if (made || !(made.error() == ErrorCode::no_space)) break;
    if (!co_await make_room(draft, first.size())) break;
  }
  co_return made;
}

// False when there is none for an upload like this, whoever would go.
Awaitable<bool> UploadService::make_room(UploadDraft draft, std::uint64_t first_bytes) {
  const auto deadline = store_deadline();
  const auto wanted = std::max(draft.length.value_or(0), first_bytes);
  auto usage = co_await parts_.store->usage(deadline);
  if (!usage || !usage->limit || wanted > *usage->limit) co_return false;
  const auto room = *usage->limit - std::min(*usage->limit, usage->taken);
  if (wanted <= room) co_return false;  // it is not this limit that stands in the way
  const auto missing = usage->taken - (*usage->limit - wanted);
  auto plan = co_await plan_eviction(std::move(draft.partial_uploads), missing, deadline);
  if (!plan) {
    parts_.logger->log(LogLevel::warn, "EvictionFailed", {{"cause", plan.error().detail()}});
    co_return false;
  }
  bool made_some = false;
  for (auto& victim : std::move(*plan).victims()) {
    auto evicted = co_await evict(victim.id, victim.room);
    made_some = made_some || evicted;
  }
  co_return made_some;
}

Awaitable<Result<EvictionPlan>> UploadService::plan_eviction(std::vector<std::string> needed,
                                                             std::uint64_t missing,
                                                             Deadline deadline) {
  EvictionPlan plan(options_.evict, missing);
  const auto scan = parts_.store->scan(ScanOptions());
  for (bool at_end = false; !at_end;) {
    if (deadline.passed(parts_.clock->now())) {
      co_return fail(ErrorCode::store_unavailable, "no time to look at all uploads");
    }
    auto page = co_await scan->next(deadline);
    if (!page) co_return fail(std::move(page.error()));
    at_end = page->at_end;
    for (const auto& info : page->uploads) {
      if (!may_be_evicted(info, options_) || !plan.wants(info)) continue;
      // The parts of the upload that room is made for.
      if (std::ranges::find(needed, info.id.str()) != needed.end()) continue;
      if (co_await is_left_alone(info)) continue;
      plan.add(info);
    }
  }
  co_return plan;
}

// Somebody has it in hand, or others depend on it. What cannot be told is left alone, too.
Awaitable<bool> UploadService::is_left_alone(const UploadInfo& info) {
  if (jobs_.find(info.id)) co_return true;
  auto held = co_await parts_.locker->is_held(info.id);
  if (!held || *held) co_return true;
  co_return !co_await nobody_needs(info);
}

Awaitable<bool> UploadService::nobody_needs(const UploadInfo& info) {
  if (info.join_pending) {
    // With all parts there it is on its way to be finished.
    auto survey = co_await joins_.survey(info);
    if (survey ? survey->all_finished : !(survey.error() == ErrorCode::part_gone)) co_return false;
  }
  co_return (co_await may_end(info)).has_value();
}

Awaitable<bool> UploadService::evict(UploadId id, std::uint64_t room) {
  // It comes from before every request: none is turned away because this is newer.
  auto held = co_await open_held(id, Deadline::Point::min(), nullptr);
  if (!held) co_return false;
  const UploadInfo info = held->upload->info();
  // Somebody may have gone on with it since it was looked at.
  const bool is_same = may_be_evicted(info, options_) && room_of(info) == room;
  if (!is_same || jobs_.find(id) || !co_await nobody_needs(info)) co_return false;
  auto ended = co_await end_upload(*held, RequestHead());
  const std::string bytes = std::to_string(room);
  if (!ended) {
    parts_.logger->log(LogLevel::warn, "EvictionFailed",
                       {{"id", id.str()}, {"cause", ended.error().detail()}});
    co_return false;
  }
  parts_.metrics->upload_evicted();
  parts_.logger->log(LogLevel::info, "UploadEvicted",
                     {{"id", id.str()}, {"size", bytes, LogKind::number}});
  co_return true;
}

}  // namespace tus::core
