// The part of the service that makes final uploads of partial ones.
#include "core/caught.h"
#include "core/hook_calls.h"
#include "core/request_log.h"
#include "core/upload_service.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace tus::core {

namespace {

// Who creates a final upload has named a part that is not there; nothing has gone from under it.
Error creation_error(Error error) {
  if (error == ErrorCode::part_gone) return Error(ErrorCode::upload_not_found, error.detail());
  if (error == ErrorCode::upload_finish_failed) return Error(ErrorCode::upload_not_finished);
  return error;
}

}  // namespace

// ---- creating a final upload

Awaitable<Outcome> UploadService::create_final(CreateCommand command, Request request) {
  UploadInfo wanted;
  for (const auto& part : command.parts) wanted.partial_uploads.push_back(part.str());
  auto survey = co_await joins_.survey(wanted);
  if (!survey) co_return Outcome(creation_error(std::move(survey.error())));
  command.length = survey->length;
  std::shared_ptr<Response> hook_response;
  auto draft = co_await draft_upload(command, request.head, hook_response);
  Outcome outcome;
  if (draft) {
    outcome = co_await make_final(std::move(*draft), request);
  } else {
    outcome.error = std::move(draft.error());
  }
  if (!outcome.hook_response) outcome.hook_response = std::move(hook_response);
  co_return outcome;
}

Awaitable<Outcome> UploadService::make_final(UploadDraft draft, Request request) {
  // Under a lease, because a last part may make somebody else start the join at once.
  auto held = co_await create_held(std::move(draft), request, std::nullopt);
  if (!held) co_return Outcome(std::move(held.error()));
  const UploadInfo made = held->upload->info();
  auto survey = co_await joins_.survey_pinned(made);
  if (!survey) {
    (void)co_await end_upload(*held, request.head);
    co_return Outcome(creation_error(std::move(survey.error())));
  }
  if (!survey->all_finished) co_return Outcome(made);

  auto outcome = co_await start_join(std::move(*held), *survey, request.head);
  if (outcome.error == ErrorCode::no_space) {
    // Nobody was told of it, and its client will ask again for another one.
    auto again = co_await open_to_end(made.id);
    auto ended =
        again ? co_await end_upload(*again, request.head) : Status(fail(ErrorCode::internal));
    if (ended) outcome.upload.reset();
  } else if (outcome.error == ErrorCode::upload_finishing) {
    // It is on record with all that it needs, so nothing can refuse it any more: it is created, and has no end.
    UploadInfo created = made;
    created.last_activity.reset();
    outcome = Outcome(std::move(created));
  }
  co_return outcome;
}

// `held` is a final upload with all parts finished.
Awaitable<Outcome> UploadService::start_join(HeldUpload held, Survey survey, RequestHead head) {
  if (!held.upload->info().length) {
    auto declared = co_await held.upload->declare_length(*held.lease, survey.length.value_or(0),
                                                         store_deadline());
    if (!declared) co_return Outcome(std::move(declared.error()));
  }
  co_return co_await start_finish(std::move(held), head);
}

// ---- a final upload that is asked for

Awaitable<Outcome> UploadService::inspect_join(UploadInfo info, const RequestHead& head) {
  auto survey = co_await joins_.survey(info);
  if (!survey) co_return Outcome(std::move(survey.error()));
  if (!survey->all_finished) {
    if (!info.length) info.length = survey->length;
    info.last_activity = std::max(info.last_activity, survey->last_activity);
    if (has_expired(options_, parts_, info)) co_return Outcome(Error(ErrorCode::upload_gone));
    co_return Outcome(std::move(info));
  }
  auto held = co_await open_held(info.id, parts_.clock->now(), nullptr);
  if (!held) {
    if (auto job = jobs_.find(info.id)) co_return co_await join(std::move(job));
    co_return Outcome(std::move(held.error()));
  }
  const auto& now = held->upload->info();
  if (!now.join_pending && !now.finishing()) co_return Outcome(now);
  co_return co_await start_join(std::move(*held), std::move(*survey), head);
}

// ---- parts

Awaitable<Status> UploadService::end_upload(HeldUpload& held, const RequestHead& head,
                                            Ending ending) {
  auto& upload = *held.upload;
  auto ticket = co_await promise_hook(context_, HookEvent::post_terminate, upload.info(), head);
  if (!ticket) co_return fail(std::move(ticket.error()));
  auto gone = co_await upload.terminate(*held.lease, store_deadline());
  if (!gone) {
    withdraw(context_, std::move(*ticket));
    co_return gone;
  }
  happened(context_, std::move(*ticket));
  if (ending == Ending::expired) {
    parts_.metrics->upload_expired(upload.info().offset);
    log_upload(parts_, "UploadExpired", upload.info(), head);
    co_return gone;
  }
  parts_.metrics->upload_terminated(upload.info());
  log_upload(parts_, "UploadTerminated", upload.info(), head);
  co_return gone;
}

void UploadService::upload_finished(const UploadInfo& info) {
  if (info.is_partial && can_join()) recovery_.spawn(background_, start_joins_of(info.id));
  if (info.is_final && options_.remove_joined_parts) {
    recovery_.spawn(background_, remove_parts(info));
  }
}

bool UploadService::can_join() const { return parts_.store->capabilities().concatenate; }

Awaitable<void> UploadService::start_joins_of(UploadId part) {
  auto finals = co_await joins_.needing(std::move(part));
  if (!finals) co_return log_join_problem("JoinNotStarted", "", finals.error());
  for (auto& id : *finals) co_await try_join(std::move(id), JoinAfter::part);
}

// Whatever goes wrong with one of them is in the log, and tried again when somebody asks for it.
Awaitable<void> UploadService::try_join(UploadId id, JoinAfter after) {
  std::exception_ptr thrown;
  try {
    auto joined = co_await join_if_ready(id, after);
    if (!joined) log_join_problem("JoinNotStarted", id.str(), joined.error());
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown) log_join_problem("JoinNotStarted", id.str(), error_from(std::move(thrown)));
}

Awaitable<Status> UploadService::join_if_ready(UploadId id, JoinAfter after) {
  auto info = co_await parts_.store->inspect(id, store_deadline());
  if (!info && info.error() == ErrorCode::upload_not_found) co_return Status();
  if (!info) co_return fail(std::move(info.error()));
  if (!info->join_pending || info->finish == FinishState::abandoned) co_return Status();
  auto survey = co_await joins_.survey(std::move(*info));
  if (!survey) co_return fail(std::move(survey.error()));
  if (!survey->all_finished || jobs_.find(id) || jobs_.closing()) co_return Status();
  auto since = parts_.clock->now();
  if (after == JoinAfter::restart) {
    // As with finishes: after a start it gives way to every request, and to another process that is at it.
    const auto somebody_is_at_it = co_await parts_.locker->is_held(id);
    if (!somebody_is_at_it || *somebody_is_at_it) co_return Status();
    since = Deadline::Point::min();
  }
  auto held = co_await open_held(id, since, nullptr);
  if (!held) co_return jobs_.find(id) ? Status() : Status(fail(std::move(held.error())));
  auto& upload = *held->upload;
  if (!upload.info().join_pending) co_return Status();
  if (!upload.info().length) {
    auto declared =
        co_await upload.declare_length(*held->lease, survey->length.value_or(0), store_deadline());
    if (!declared) co_return declared;
  }
  auto job = jobs_.start(std::move(*held), RequestHead());
  if (job && after == JoinAfter::restart) co_await join(std::move(job));
  co_return Status();
}

Awaitable<void> UploadService::recover_joins() {
  auto pending = co_await parts_.store->pending_joins(store_deadline());
  if (!pending) co_return log_join_problem("RecoveryFailed", "", pending.error());
  for (auto& id : *pending) {
    if (jobs_.closing()) co_return;
    // One after the other, as with finishes.
    co_await try_join(std::move(id), JoinAfter::restart);
  }
}

Awaitable<Status> UploadService::may_end(const UploadInfo& info) {
  if (!info.is_partial || !can_join()) co_return Status();
  auto pinned = co_await joins_.is_pinned(info.id);
  if (!pinned) co_return fail(std::move(pinned.error()));
  co_return *pinned ? Status(fail(ErrorCode::upload_locked)) : Status();
}

// The bytes are in the final upload, safe and finished.
Awaitable<void> UploadService::remove_parts(UploadInfo final_upload) {
  auto& names = final_upload.partial_uploads;
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  for (const auto& name : names) {
    if (jobs_.closing()) co_return;
    auto id = UploadId::parse(name);
    if (!id) continue;
    auto held = co_await open_held(*id, parts_.clock->now(), nullptr);
    if (!held && held.error() == ErrorCode::upload_not_found) continue;
    auto done = held ? Status() : Status(fail(std::move(held.error())));
    if (done && !held->upload->info().is_partial) continue;
    if (done) {
      // Another join may wait for it, or for others with it; then this is up to that one.
      auto needing = co_await joins_.needing(*id);
      if (needing && !needing->empty()) continue;
      if (!needing) done = fail(std::move(needing.error()));
    }
    if (done) done = co_await end_upload(*held, RequestHead());
    if (!done) log_join_problem("PartNotRemoved", name, done.error());
  }
}

void UploadService::log_join_problem(std::string_view event, std::string_view id,
                                     const Error& error) const {
  parts_.logger->log(
      LogLevel::warn, event,
      {{"id", id}, {"error", describe(error.code()).code}, {"cause", error.detail()}});
}

}  // namespace tus::core
