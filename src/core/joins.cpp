#include "core/joins.h"

#include "core/acquire.h"
#include "core/expiry.h"
#include "core/lease_keeper.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace tus::core {

namespace {

constexpr std::uint64_t largest_length = std::numeric_limits<std::int64_t>::max();

// What a part adds to a survey.
Status add_part(Survey& survey, const UploadInfo& part, bool first_time) {
  if (!part.is_partial) return fail(ErrorCode::invalid_concat);
  if (part.finish == FinishState::abandoned) return fail(ErrorCode::upload_finish_failed);
  if (!part.finished()) survey.all_finished = false;
  if (part.finished() && first_time) survey.finished.push_back(part.id);
  if (!part.length) survey.length.reset();
  if (!survey.length) return {};
  if (*part.length > largest_length - *survey.length) return fail(ErrorCode::max_size_exceeded);
  *survey.length += *part.length;
  return {};
}

}  // namespace

Deadline Joins::store_deadline() const {
  return Deadline::after(parts_.clock->now(), options_.store_timeout);
}

Awaitable<Result<Survey>> Joins::survey(UploadInfo upload) {
  Survey survey;
  survey.length = 0;
  std::unordered_map<std::string, UploadInfo> seen;
  for (const auto& name : upload.partial_uploads) {
    auto known = seen.find(name);
    const bool first_time = known == seen.end();
    if (first_time) {
      auto id = UploadId::parse(name);
      if (!id) co_return fail(ErrorCode::part_gone);
      auto part = co_await parts_.store->inspect(std::move(*id), store_deadline());
      const bool gone = !part && (part.error() == ErrorCode::upload_not_found ||
                                  part.error() == ErrorCode::upload_gone);
      if (gone) co_return fail(ErrorCode::part_gone, name);
      if (!part) co_return fail(std::move(part.error()));
      if (has_expired(options_, parts_, *part)) co_return fail(ErrorCode::part_gone, name);
      survey.last_activity = std::max(survey.last_activity, part->last_activity);
      known = seen.emplace(name, std::move(*part)).first;
    }
    if (auto added = add_part(survey, known->second, first_time); !added) {
      co_return fail(std::move(added.error()));
    }
  }
  const std::uint64_t limit = options_.live->max_size;
  // A length that is on record was within the limit of its time.
  if (!upload.length && limit > 0 && survey.length.value_or(0) > limit) {
    co_return fail(ErrorCode::max_size_exceeded);
  }
  co_return survey;
}

Awaitable<Result<Survey>> Joins::survey_pinned(UploadInfo upload) {
  auto first = co_await survey(upload);
  if (!first) co_return first;
  auto waited = co_await wait_for_holders(first->finished);
  if (!waited) co_return fail(std::move(waited.error()));
  if (!*waited) co_return first;
  co_return co_await survey(std::move(upload));
}

// Nobody writes to what is finished, so whoever holds it is about to remove it, or will soon be done.
Awaitable<Result<bool>> Joins::wait_for_holders(const std::vector<UploadId>& parts) {
  bool waited = false;
  for (const auto& part : parts) {
    auto held = co_await parts_.locker->is_held(part);
    if (!held) co_return fail(std::move(held.error()));
    if (!*held) continue;
    waited = true;
    const auto now = parts_.clock->now();
    const auto deadline = Deadline::after(now, options_.live->acquire_lock_timeout.load());
    auto keeper = std::make_shared<LeaseKeeper>(now);
    auto lease = co_await acquire(parts_, part, deadline, std::move(keeper));
    if (!lease) co_return fail(std::move(lease.error()));
  }
  co_return waited;
}

// Returns those that are not known yet.
std::vector<UploadId> Joins::forget_others(const std::vector<UploadId>& pending) {
  std::vector<UploadId> unknown;
  std::unordered_map<UploadId, std::shared_ptr<const Names>> kept;
  std::lock_guard lock(mutex_);
  for (const auto& id : pending) {
    auto found = known_.find(id);
    if (found != known_.end()) {
      kept.insert(*found);
    } else {
      unknown.push_back(id);
    }
  }
  known_ = std::move(kept);
  return unknown;
}

Awaitable<Status> Joins::learn(std::vector<UploadId> pending) {
  for (const auto& id : forget_others(pending)) {
    auto info = co_await parts_.store->inspect(id, store_deadline());
    if (!info) {
      // Being made, or gone; or nobody can tell, and then it stands in nobody's way.
      if (info.error() == ErrorCode::store_unavailable) co_return fail(std::move(info.error()));
      continue;
    }
    auto names = std::make_shared<Names>();
    if (info->join_pending) {
      names->insert(info->partial_uploads.begin(), info->partial_uploads.end());
    }
    std::lock_guard lock(mutex_);
    known_[id] = std::move(names);
  }
  co_return Status();
}

Awaitable<Result<std::vector<UploadId>>> Joins::needing(UploadId part) {
  std::vector<UploadId> found;
  auto pending = co_await parts_.store->pending_joins(store_deadline());
  if (!pending) co_return fail(std::move(pending.error()));
  if (pending->empty()) co_return found;
  auto learned = co_await learn(std::move(*pending));
  if (!learned) co_return fail(std::move(learned.error()));
  std::lock_guard lock(mutex_);
  for (const auto& [id, names] : known_) {
    if (names->contains(part.str())) found.push_back(id);
  }
  co_return found;
}

Awaitable<Result<bool>> Joins::is_pinned(UploadId part) {
  auto finals = co_await needing(std::move(part));
  if (!finals) co_return fail(std::move(finals.error()));
  for (const auto& id : *finals) {
    auto info = co_await parts_.store->inspect(id, store_deadline());
    if (!info && info.error() == ErrorCode::store_unavailable) {
      co_return fail(std::move(info.error()));
    }
    if (!info || !info->join_pending || info->finish == FinishState::abandoned) continue;
    auto parts = co_await survey(std::move(*info));
    if (parts && parts->all_finished) co_return true;
  }
  co_return false;
}

}  // namespace tus::core
