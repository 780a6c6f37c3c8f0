#include "core/upload_service.h"

#include "core/acquire.h"
#include "core/body_checksum.h"
#include "core/caught.h"
#include "core/id_generator.h"
#include "core/limited_source.h"
#include "core/reads.h"
#include "core/request_body.h"
#include "core/request_log.h"

#include <algorithm>
#include <array>
#include <exception>
#include <functional>
#include <string>
#include <utility>

namespace tus::core {

namespace {

constexpr std::chrono::seconds finishing_retry_after{5};

// A body of unknown length that has no room at all. It is read before anything is created or declared: an
// upload that is complete without it must not be finished by a body that is too long or broken.
bool must_be_empty(const Request& request, const protocol::LengthAnswer& limit) {
  return limit.allowance == 0 && request.head.has_body && !request.head.content_length;
}

Outcome finishing_outcome() {
  Outcome outcome{Error(ErrorCode::upload_finishing)};
  outcome.retry_after = finishing_retry_after;
  return outcome;
}

}  // namespace

UploadService::UploadService(const HandlerOptions& options, const HandlerParts& parts,
                             asio::any_io_executor background)
    : options_(options),
      parts_(parts),
      context_{parts, options},
      background_(background),
      digests_(options, parts),
      joins_(options, parts),
      jobs_(options, parts, digests_, background,
            [this](const UploadInfo& upload) { upload_finished(upload); }),
      recovery_([&parts](std::exception_ptr) {
        parts.logger->log(LogLevel::error, "RecoveryThrew", {});
      }) {}

Awaitable<void> UploadService::close(Deadline deadline) {
  co_await jobs_.close(deadline);
  if (co_await recovery_.close(deadline)) co_return;
  parts_.logger->log(LogLevel::warn, "StopWaitsForRecovery", {});
  co_await recovery_.close(Deadline::never());
}

bool UploadService::needs_finish() const {
  return parts_.store->capabilities().needs_finish || !nobody_asks_at_finish() || digests_.on();
}

bool UploadService::announces_changes() const {
  return parts_.hooks->wants(HookEvent::post_create) ||
         parts_.hooks->wants(HookEvent::post_finish) ||
         parts_.hooks->wants(HookEvent::post_terminate);
}

bool UploadService::nobody_asks_at_finish() const {
  return !parts_.hooks->wants(HookEvent::pre_finish) &&
         !parts_.hooks->wants(HookEvent::post_finish);
}

Deadline UploadService::lock_deadline() const {
  return Deadline::after(parts_.clock->now(), options_.live->acquire_lock_timeout.load());
}

Deadline UploadService::store_deadline() const {
  return Deadline::after(parts_.clock->now(), options_.store_timeout);
}

// ---- create

Awaitable<Outcome> UploadService::create(CreateCommand command, Request request) {
  if (!command.parts.empty()) co_return co_await create_final(std::move(command), request);
  protocol::LengthQuestion question;
  question.declared_length = command.length;
  question.max_size = options_.live->max_size;
  if (command.with_content) question.content_length = request.head.content_length;
  auto limit = protocol::check_length(question);
  if (!limit) co_return Outcome(std::move(limit.error()));

  const bool with_content = command.with_content;
  const bool is_nothing = command.checksum && limit->allowance == 0;
  if (with_content && (is_nothing || must_be_empty(request, *limit))) {
    auto broken = body_error(co_await expect_nothing(request.body), limit->excess);
    if (broken) co_return Outcome(std::move(*broken));
  }
  std::shared_ptr<Response> hook_response;
  auto draft = co_await draft_upload(command, request.head, hook_response);
  if (!draft) {
    Outcome outcome(std::move(draft.error()));
    outcome.hook_response = std::move(hook_response);
    co_return outcome;
  }
  std::optional<std::span<const std::byte>> first = std::span<const std::byte>();
  if (with_content) first = whole_body(request.body);
  std::optional<ErrorCode> wrong;
  if (command.checksum && first) {
    wrong = wrong_checksum(*command.checksum, *first, request.exchange.trailers());
    // The upload is created all the same and the content is not taken, unless there is none to be waited for.
    if (wrong && command.length == 0) co_return Outcome(Error(*wrong));
    if (wrong) first = std::span<const std::byte>();
  }
  auto held = co_await create_held(std::move(*draft), request, first);
  if (!held) co_return Outcome(std::move(held.error()));

  Outcome outcome;
  if (wrong) {
    outcome = refuse(*wrong, *held->upload);
  } else if (!first && command.checksum) {
    outcome = co_await receive_checked(std::move(*held), request, *limit, *command.checksum);
  } else if (!first) {
    outcome = co_await receive(std::move(*held), request, *limit);
  } else {
    take_buffered(request.body, first->size());
    parts_.metrics->bytes_received(first->size());
    if (!first->empty()) {
      log_chunk_start(parts_, held->upload->info(), request.head, 0);
      log_chunk_end(parts_, held->upload->info(), request.head, first->size());
      tell_progress(context_, held->upload->info(), request.head);
    }
    if (held->upload->info().has_all_bytes()) {
      outcome = co_await complete(std::move(*held), request.head);
    } else {
      outcome = Outcome(held->upload->info());
    }
  }
  if (!outcome.hook_response) outcome.hook_response = std::move(hook_response);
  co_return outcome;
}

Awaitable<Result<HeldUpload>> UploadService::create_held(
    UploadDraft draft, Request request, std::optional<std::span<const std::byte>> first) {
  const bool id_is_known_elsewhere = !draft.id.empty();
  if (!id_is_known_elsewhere) draft.id = random_upload_id();
  const auto bytes = first.value_or(std::span<const std::byte>());
  bool awaits_finish = draft.finish == FinishState::pending && draft.length == bytes.size() &&
                       draft.partial_uploads.empty();
  if (awaits_finish && nobody_asks_at_finish()) {
    draft.finish = FinishState::finished;
    awaits_finish = false;
  }
  digests_.start(draft, bytes);
  // Recovery, and who hears of the creation, see an upload that awaits its finish before we start it.
  const bool is_secret = first && !id_is_known_elsewhere && !awaits_finish;

  auto placed = co_await parts_.store->place(std::move(draft), store_deadline());
  if (!placed) co_return fail(std::move(placed.error()));
  std::optional<UploadDraft> place;
  if (!placed->place.empty()) place = *placed;
  auto held = co_await create_placed(*std::move(placed), request.head, bytes,
                                     is_secret ? Creating::in_secret : Creating::under_lease);
  if (!held && place) {
    co_await parts_.store->give_up_place(*std::move(place), store_deadline());
  }
  co_return held;
}

Awaitable<Result<HeldUpload>> UploadService::create_placed(UploadDraft draft,
                                                           const RequestHead& head,
                                                           std::span<const std::byte> first,
                                                           Creating how) {
  HeldUpload held;
  held.keeper = std::make_shared<LeaseKeeper>(parts_.clock->now());
  if (how == Creating::in_secret) {
    held.lease = std::make_unique<FreshLease>();
  } else {
    auto lease = co_await acquire(parts_, draft.id, lock_deadline(), held.keeper);
    if (!lease) co_return fail(std::move(lease.error()));
    held.lease = std::move(*lease);
  }
  auto ticket = co_await promise_hook(context_, HookEvent::post_create, info_of(draft), head);
  if (!ticket) co_return fail(std::move(ticket.error()));
  auto upload = co_await create_in_store(std::move(draft), *held.lease, first);
  if (!upload) {
    withdraw(context_, std::move(*ticket));
    co_return fail(std::move(upload.error()));
  }
  happened(context_, std::move(*ticket));
  held.upload = std::move(*upload);
  parts_.metrics->upload_created(held.upload->info());
  log_upload(parts_, "UploadCreated", held.upload->info(), head);
  co_return held;
}

// ---- append

Awaitable<Outcome> UploadService::append(const AppendCommand& command, Request request) {
  // Nobody waits for a join in order to be refused.
  const auto joining = jobs_.find(command.id);
  if (joining && joining->is_final) co_return Outcome(Error(ErrorCode::modify_final));
  const bool is_unchecked = command.checksum && !is_checked_already(*command.checksum, request);
  const ChecksumDemand* demand = is_unchecked ? &*command.checksum : nullptr;
  std::optional<EarlyAppend> early;
  // The digest has to be found before bytes are taken.
  const bool is_watched = digests_.on() || parts_.hooks->wants(HookEvent::post_receive);
  if (demand == nullptr && !is_watched && request.head.content_length &&
      !request.body.buffered().empty()) {
    early.emplace(request.body, plain_append_check(command, request.head));
  }
  auto opened = co_await open_settled(command.id, request.head, early ? &*early : nullptr);
  if (!opened) co_return std::move(opened.error());
  if (opened->appended) {
    co_return co_await received_early(std::move(*opened), request, command.offset);
  }
  co_return co_await append_to(std::move(*opened), command, request, demand);
}

Awaitable<Outcome> UploadService::received_early(HeldUpload held, Request request,
                                                 std::uint64_t start) {
  auto moved = std::move(*held.appended);
  const auto bytes = moved.safe_offset - start;
  parts_.metrics->bytes_received(bytes);
  log_chunk_start(parts_, held.upload->info(), request.head, start);
  log_chunk_end(parts_, held.upload->info(), request.head, bytes);
  co_return co_await received(std::move(held), request, std::move(moved), ErrorCode::internal);
}

Awaitable<Outcome> UploadService::append_to(HeldUpload held, const AppendCommand& command,
                                            Request request, const ChecksumDemand* demand) {
  const auto& info = held.upload->info();
  if (info.is_final) co_return refuse(ErrorCode::modify_final, *held.upload);
  if (has_expired(options_, parts_, info)) co_return Outcome(Error(ErrorCode::upload_gone));
  if (info.finish == FinishState::abandoned)
    co_return Outcome(Error(ErrorCode::upload_finish_failed));
  if (command.offset != info.offset) co_return refuse(ErrorCode::mismatched_offset, *held.upload);

  protocol::LengthQuestion question;
  question.offset = info.offset;
  question.length = info.length;
  question.declared_length = command.declared_length;
  question.content_length = request.head.content_length;
  question.max_size = options_.live->max_size;
  auto limit = protocol::check_length(question);
  if (!limit) co_return refuse(limit.error().code(), *held.upload);

  if (info.finished()) {
    co_return co_await append_to_finished(std::move(held), request, demand);
  }
  if (must_be_empty(request, *limit)) {
    const Receiving receiving(held.keeper, request.body);
    const auto broken = body_error(co_await expect_nothing(request.body), limit->excess);
    if (broken) co_return refuse(broken->code(), *held.upload);
  }
  if (demand != nullptr) {
    co_return co_await receive_checked(std::move(held), request, *limit, *demand);
  }
  auto ready = co_await prepare(held, *limit);
  if (!ready) co_return Outcome(std::move(ready.error()));
  co_return co_await receive(std::move(held), request, *limit);
}

// Most appends need nothing but their bytes written: those may begin while the store opens the upload.
// Whatever is not plain is looked at afterwards, in append().
AppendCheck UploadService::plain_append_check(const AppendCommand& command,
                                              const RequestHead& head) const {
  if (command.declared_length) return [](const UploadInfo&) { return std::nullopt; };
  protocol::LengthQuestion question;
  question.offset = command.offset;
  question.content_length = head.content_length;
  question.max_size = options_.live->max_size;
  const bool mark_first = needs_finish();
  return [this, question, mark_first](const UploadInfo& info) -> std::optional<AppendRequest> {
    const bool marked =
        info.finish == FinishState::pending || (info.finish == FinishState::derived && !mark_first);
    if (info.is_final || !marked || !info.length || info.has_all_bytes()) return std::nullopt;
    if (has_expired(options_, parts_, info)) return std::nullopt;
    auto full = question;
    full.length = info.length;
    if (info.offset != full.offset || !protocol::check_length(full)) return std::nullopt;
    return AppendRequest(info.offset);
  };
}

Awaitable<Outcome> UploadService::append_to_finished(HeldUpload held, Request request,
                                                     const ChecksumDemand* demand) {
  // Nothing will be written, so a body that stalls must not keep others waiting.
  held.lease.reset();
  const auto state = co_await expect_nothing(request.body);
  if (state == BodyState::complete && demand != nullptr) {
    const auto wrong = wrong_checksum(*demand, {}, request.exchange.trailers());
    if (wrong) co_return refuse(*wrong, *held.upload);
  }
  if (state == BodyState::complete) co_return Outcome(held.upload->info());
  co_return refuse(error_of(state).value_or(ErrorCode::internal), *held.upload);
}

Awaitable<Status> UploadService::prepare(HeldUpload& held, const protocol::LengthAnswer& limit) {
  const auto& info = held.upload->info();
  // Written by a server that had nothing to do at the end; this one has.
  if (info.finish == FinishState::derived && needs_finish()) {
    auto marked =
        co_await held.upload->set_finish_state(*held.lease, FinishState::pending, store_deadline());
    if (!marked) co_return marked;
  }
  if (limit.length && !info.length) {
    co_return co_await held.upload->declare_length(*held.lease, *limit.length, store_deadline());
  }
  co_return Status{};
}

Awaitable<Outcome> UploadService::receive(HeldUpload held, Request request,
                                          protocol::LengthAnswer limit) {
  AppendOutcome moved;
  moved.safe_offset = held.upload->info().offset;
  moved.body = BodyState::complete;
  const auto start = moved.safe_offset;
  if (request.head.has_body) {
    log_chunk_start(parts_, held.upload->info(), request.head, start);
    moved = co_await move_body(held, request, limit.allowance);
    log_chunk_end(parts_, held.upload->info(), request.head, moved.safe_offset - start);
  }
  parts_.metrics->bytes_received(moved.safe_offset - start);
  co_return co_await received(std::move(held), request, std::move(moved), limit.excess);
}

// `excess`: what a body that brought too much is called.
Awaitable<Outcome> UploadService::received(HeldUpload held, Request request, AppendOutcome moved,
                                           ErrorCode excess) {
  auto ended = std::move(moved.error);
  if (held.progress) {
    held.progress->end(held.upload->info().offset);
    const bool is_complete = held.upload->info().has_all_bytes() && !ended;
    if (!is_complete && held.progress->stop().is_requested()) {
      co_return co_await stop_upload(std::move(held), request);
    }
    held.progress.reset();
  }
  if (moved.body == BodyState::interrupted && !ended) parts_.metrics->upload_taken_over();
  // However the body ended: nobody may come back to ask for the finish.
  if (held.upload->info().has_all_bytes() && !ended) {
    co_return co_await complete(std::move(held), request.head);
  }
  if (!ended) ended = body_error(moved.body, excess);
  Outcome outcome(held.upload->info());
  outcome.error = std::move(ended);
  co_return outcome;
}

Awaitable<AppendOutcome> UploadService::move_body(HeldUpload& held, Request request,
                                                  std::optional<std::uint64_t> allowance) {
  std::optional<LimitedSource> limited;
  // A known length was checked against the allowance already.
  held.progress = watch_progress(context_, held.upload->info(), request.head, request.body);
  BodySource& body = held.progress ? static_cast<BodySource&>(*held.progress) : request.body;
  if (allowance && !request.head.content_length) limited.emplace(body, *allowance);
  BodySource& source = limited ? static_cast<BodySource&>(*limited) : body;
  const Receiving receiving(held.keeper, request.body);
  const AppendRequest at(held.upload->info().offset);
  co_return co_await digests_.append(*held.upload, *held.lease, source, at);
}

// ---- finish

Awaitable<Outcome> UploadService::complete(HeldUpload held, const RequestHead& head) {
  const auto& info = held.upload->info();
  if (!info.finished()) co_return co_await start_finish(std::move(held), head);
  parts_.metrics->upload_finished(info);
  log_upload(parts_, "UploadFinished", info, head);
  upload_finished(info);
  co_return Outcome(info);
}

Awaitable<Outcome> UploadService::start_finish(HeldUpload held, const RequestHead& head) {
  // A creation has to name its upload even when the finish takes long or fails.
  const UploadInfo received = held.upload->info();
  auto job = jobs_.start(std::move(held), head);
  Outcome outcome = finishing_outcome();
  if (job) outcome = co_await join(job);
  if (outcome.error) {
    outcome.tell(received);
  } else {
    outcome.hook_response = job->hook_response;
  }
  co_return outcome;
}

Awaitable<Outcome> UploadService::join(std::shared_ptr<FinishJobs::Job> job) {
  const auto deadline = Deadline::after(parts_.clock->now(), options_.finish_wait);
  for (auto over = jobs_.hurry(*job); !job->done.is_set(); over = jobs_.next_attempt(*job)) {
    if (!co_await over->wait(deadline)) co_return finishing_outcome();
    if (job->done.is_set()) break;
    // Room does not come within seconds, and the client may be the one who can make some.
    if (jobs_.failure(*job) == ErrorCode::no_space) co_return Outcome(Error(ErrorCode::no_space));
  }
  if (job->result) co_return Outcome(job->upload);
  if (job->result.error() == ErrorCode::upload_finishing) co_return finishing_outcome();
  co_return Outcome(job->result.error());
}

// ---- opening, with everything that may stand in the way

Awaitable<std::expected<HeldUpload, Outcome>> UploadService::open_settled(
    UploadId id, const RequestHead& head, const EarlyAppend* early) {
  const auto since = parts_.clock->now();
  Result<HeldUpload> held;
  if (!jobs_.find(id)) held = co_await open_held(id, since, early);
  if (held && is_settled(*held)) co_return std::move(*held);
  co_return co_await settle(std::move(held), std::move(id), since, head, early);
}

bool UploadService::is_settled(const HeldUpload& held) {
  return held.appended || (held.upload && !held.upload->info().finishing());
}

Awaitable<std::expected<HeldUpload, Outcome>> UploadService::settle(Result<HeldUpload> held,
                                                                    UploadId id,
                                                                    Deadline::Point since,
                                                                    const RequestHead& head,
                                                                    const EarlyAppend* early) {
  for (bool finished_here = false;;) {
    if (held && is_settled(*held)) co_return std::move(*held);
    if (held && held->upload) {
      if (finished_here) {
        co_return std::unexpected(Outcome(Error(ErrorCode::internal, "a finish was not recorded")));
      }
      // All bytes are here, but whoever received them did not live to finish the upload.
      auto finished = co_await start_finish(std::move(*held), head);
      if (finished.error) co_return std::unexpected(std::move(finished));
      finished_here = true;
    } else if (auto job = jobs_.find(id)) {
      auto joined = co_await join(std::move(job));
      if (joined.error) co_return std::unexpected(std::move(joined));
    } else if (!held) {
      co_return std::unexpected(Outcome(std::move(held.error())));
    }
    held = co_await open_held(id, since, early);
  }
}

// An upload that goes needs no finish; one whose finish waits for its next attempt does not get it.
Awaitable<std::expected<HeldUpload, Outcome>> UploadService::open_to_end(UploadId id) {
  const auto since = parts_.clock->now();
  const auto deadline = Deadline::after(since, options_.finish_wait);
  for (;;) {
    if (auto job = jobs_.find(id)) {
      jobs_.give_way(*job);
      if (!co_await job->done.wait(deadline)) co_return std::unexpected(finishing_outcome());
    }
    auto held = co_await open_held(id, since, nullptr);
    if (held) co_return std::move(*held);
    if (!jobs_.find(id)) co_return std::unexpected(Outcome(std::move(held.error())));
  }
}

Awaitable<Result<HeldUpload>> UploadService::open_held(UploadId id, Deadline::Point since,
                                                       const EarlyAppend* early) {
  HeldUpload held;
  held.keeper = std::make_shared<LeaseKeeper>(since);
  auto lease = co_await acquire(parts_, id, lock_deadline(), held.keeper);
  if (!lease) co_return fail(std::move(lease.error()));
  held.lease = std::move(*lease);
  if (early == nullptr) {
    auto upload = co_await parts_.store->open(std::move(id), *held.lease, store_deadline());
    if (!upload) co_return fail(std::move(upload.error()));
    held.upload = std::move(*upload);
    co_return held;
  }
  const Receiving receiving(held.keeper, early->body);
  auto opened = co_await parts_.store->open_and_append(std::move(id), *held.lease, early->body,
                                                       std::cref(early->check), store_deadline());
  if (!opened) co_return fail(std::move(opened.error()));
  held.upload = std::move(opened->upload);
  if (opened->appended) {
    held.appended = std::make_unique<AppendOutcome>(*std::move(opened->appended));
  }
  co_return held;
}

// ---- inspect

Awaitable<Outcome> UploadService::inspect(InspectCommand command, Request request) {
  if (!jobs_.find(command.id)) {
    auto held_by_somebody = co_await parts_.locker->is_held(command.id);
    if (!held_by_somebody) co_return Outcome(std::move(held_by_somebody.error()));
    if (!*held_by_somebody) {
      auto info = co_await parts_.store->inspect(command.id, store_deadline());
      if (!info) co_return Outcome(std::move(info.error()));
      if (info->finish == FinishState::abandoned) {
        co_return Outcome(Error(ErrorCode::upload_finish_failed));
      }
      if (info->join_pending) co_return co_await inspect_join(std::move(*info), request.head);
      if (has_expired(options_, parts_, *info)) co_return Outcome(Error(ErrorCode::upload_gone));
      if (!info->finishing()) co_return Outcome(std::move(*info));
    }
  }
  // Somebody writes, or a finish is due: the offset is only true once they are done.
  auto held = co_await open_settled(std::move(command.id), request.head, nullptr);
  if (!held) co_return std::move(held.error());
  UploadInfo info = held->upload->info();
  if (info.finish == FinishState::abandoned)
    co_return Outcome(Error(ErrorCode::upload_finish_failed));
  if (has_expired(options_, parts_, info) && !info.join_pending) {
    co_return Outcome(Error(ErrorCode::upload_gone));
  }
  if (!info.join_pending) co_return Outcome(std::move(info));
  *held = HeldUpload();
  co_return co_await inspect_join(std::move(info), request.head);
}

// ---- terminate

Awaitable<Outcome> UploadService::terminate(TerminateCommand command, Request request) {
  if (!parts_.store->capabilities().terminate) co_return Outcome(Error(ErrorCode::not_implemented));
  auto may = co_await may_terminate(options_, parts_, command.id);
  if (!may) co_return Outcome(std::move(may.error()));
  auto held = co_await open_to_end(std::move(command.id));
  if (!held) co_return std::move(held.error());
  if (!options_.allow_termination_of_finished && held->upload->info().has_all_bytes()) {
    co_return Outcome(Error(ErrorCode::termination_rejected));  // since that look
  }
  auto& upload = *held->upload;
  may = co_await may_end(upload.info());
  if (!may) co_return Outcome(std::move(may.error()));
  Outcome outcome;
  if (parts_.hooks->wants(HookEvent::pre_terminate)) {
    held->keeper->become_busy();
    auto reply = co_await ask_hook(context_, HookEvent::pre_terminate, upload.info(), request.head);
    held->keeper->become_idle();
    if (!reply) co_return Outcome(std::move(reply.error()));
    outcome.hook_response = shared(std::move(reply->response));
    if (reply->reject) {
      outcome.error = Error(ErrorCode::termination_rejected);
      co_return outcome;
    }
  }
  auto ended = co_await end_upload(*held, request.head);
  if (!ended) co_return Outcome(std::move(ended.error()));
  co_return outcome;
}

// ---- after a restart

void UploadService::start_recovery() {
  recovery_.spawn(background_, prepare_store());
  if (can_join()) recovery_.spawn(background_, recover_joins());
  if (needs_finish()) recovery_.spawn(background_, recover());
  if (options_.expire_after.count() > 0) recovery_.spawn(background_, keep_sweeping());
}

Awaitable<void> UploadService::recover() {
  const auto scan = parts_.store->scan(ScanOptions());
  for (bool at_end = false; !at_end;) {
    if (jobs_.closing()) co_return;
    auto page = co_await scan->next(store_deadline());
    if (!page) {
      parts_.logger->log(LogLevel::error, "RecoveryFailed", {{"cause", page.error().detail()}});
      co_return;
    }
    at_end = page->at_end;
    for (const auto& info : page->uploads) {
      if (jobs_.closing()) co_return;
      if (info.finishing()) co_await try_left_over(info.id);
    }
  }
}

Awaitable<void> UploadService::try_left_over(UploadId id) {
  std::exception_ptr thrown;
  try {
    co_await finish_left_over(id);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (!thrown) co_return;
  parts_.logger->log(LogLevel::error, "RecoveryFailed",
                     {{"id", id.str()}, {"cause", error_from(std::move(thrown)).detail()}});
}

Awaitable<void> UploadService::finish_left_over(UploadId id) {
  auto info = co_await parts_.store->inspect(id, store_deadline());
  if (!info || !info->finishing() || jobs_.find(id)) co_return;
  // By a request that is about to finish it, or by another process that does.
  const auto somebody_is_at_it = co_await parts_.locker->is_held(id);
  if (!somebody_is_at_it || *somebody_is_at_it) co_return;
  // It comes from before every request: none is turned away because this is newer.
  auto held = co_await open_held(id, Deadline::Point::min(), nullptr);
  if (!held || !held->upload->info().finishing()) co_return;
  // One after the other: a finish that hangs must not hide those behind it for long.
  if (auto job = jobs_.start(std::move(*held), RequestHead())) co_await join(std::move(job));
}

}  // namespace tus::core
