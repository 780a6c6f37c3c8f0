#include "core/finish_jobs.h"

#include "core/caught.h"
#include "core/hook_calls.h"
#include "core/request_log.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace tus::core {

namespace {

constexpr std::chrono::milliseconds longest_retry_delay{300'000};
constexpr std::chrono::milliseconds join_slice{500};

// Nothing that trying again could change.
bool is_hopeless(const Error& error) {
  return error == ErrorCode::lease_lost || error == ErrorCode::upload_not_found ||
         error == ErrorCode::upload_gone;
}

}  // namespace

FinishJobs::FinishJobs(const HandlerOptions& options, const HandlerParts& parts,
                       WholeDigests& digests, asio::any_io_executor executor,
                       std::function<void(const UploadInfo&)> finished)
    : options_(options),
      parts_(parts),
      context_{parts, options},
      digests_(digests),
      executor_(std::move(executor)),
      finished_(std::move(finished)),
      group_([&parts](std::exception_ptr) {
        parts.logger->log(LogLevel::error, "FinishJobThrew", {});
      }) {}

std::shared_ptr<FinishJobs::Job> FinishJobs::find(const UploadId& id) {
  std::lock_guard lock(mutex_);
  auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : found->second;
}

std::shared_ptr<FinishJobs::Job> FinishJobs::start(HeldUpload held, RequestHead cause) {
  auto job = std::make_shared<Job>();
  job->id = held.upload->info().id;
  job->upload = held.upload->info();
  job->is_final = job->upload.is_final;
  job->result = fail(ErrorCode::upload_finishing);
  // Known before it is busy: who is turned away finds it and joins.
  {
    std::lock_guard lock(mutex_);
    jobs_[job->id] = job;
  }
  held.keeper->become_busy();
  bool runs = false;
  try {
    runs = group_.spawn(executor_, run(job, std::move(held), std::move(cause)));
  } catch (...) {
    end(job);
    throw;
  }
  if (runs) return job;
  end(job);
  return nullptr;
}

void FinishJobs::end(const std::shared_ptr<Job>& job) noexcept {
  std::shared_ptr<Event> over;
  {
    std::lock_guard lock(mutex_);
    auto found = jobs_.find(job->id);
    // A later job of the same upload may have taken the place.
    if (found != jobs_.end() && found->second == job) jobs_.erase(found);
    over = job->attempt_over;
  }
  job->done.set();
  over->set();
}

Awaitable<void> FinishJobs::run(std::shared_ptr<Job> job, HeldUpload held, RequestHead cause) {
  std::exception_ptr thrown;
  try {
    job->result = co_await try_until_done(*job, held, cause);
    job->upload = held.upload->info();
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown) job->result = fail(ErrorCode::internal);
  // The lease goes before the job does: whoever finds no job must be able to take the lease at once.
  held.upload.reset();
  held.lease.reset();
  end(job);
  if (job->result) finished_(job->upload);
  if (thrown) std::rethrow_exception(std::move(thrown));
}

Awaitable<Status> FinishJobs::try_until_done(Job& job, HeldUpload& held, const RequestHead& cause) {
  auto delay = options_.finish_retry_delay;
  unsigned attempts = 0;
  for (auto due = parts_.clock->now();;) {
    const auto begun = parts_.clock->now();
    const bool counts = begun >= due;
    if (counts) ++attempts;
    auto result = co_await caught_attempt(job, held, cause);
    // A join that was told to end has not failed.
    if (result || result.error() == ErrorCode::upload_finishing) co_return result;
    parts_.metrics->finish_failed();
    log_failure(job, cause, result.error(), attempts);
    if (is_hopeless(result.error())) co_return result;
    if (counts && attempts >= options_.finish_attempts &&
        co_await abandon(job, held, cause, attempts)) {
      co_return fail(ErrorCode::upload_finish_failed);
    }
    if (counts) {
      due = Deadline::after(begun, delay).when();
      delay = std::min(2 * delay, longest_retry_delay);
    }
    announce_failure(job, result.error().code());
    if (!co_await pause(job, due)) co_return fail(ErrorCode::upload_finishing);
  }
}

// False when it could not be recorded: then the upload goes on being finished.
Awaitable<bool> FinishJobs::abandon(const Job& job, HeldUpload& held, const RequestHead& cause,
                                    unsigned attempts) {
  auto recorded =
      co_await held.upload->set_finish_state(*held.lease, FinishState::abandoned, store_deadline());
  if (!recorded) log_failure(job, cause, recorded.error(), attempts);
  if (recorded) parts_.metrics->upload_abandoned();
  co_return recorded.has_value();
}

// False when the job has to end.
Awaitable<bool> FinishJobs::pause(Job& job, Deadline::Point due) {
  const auto earliest = Deadline::after(parts_.clock->now(), options_.finish_retry_delay).when();
  for (;;) {
    auto woken = std::make_shared<Event>();
    auto until = due;
    {
      std::lock_guard lock(mutex_);
      if (closing_ || job.gives_way) co_return false;
      if (job.hurried) until = std::min(due, earliest);
      job.pause = woken;
    }
    co_await woken->wait(Deadline::at(until));
    std::lock_guard lock(mutex_);
    job.pause.reset();
    if (closing_ || job.gives_way) co_return false;
    if (parts_.clock->now() < until) continue;
    job.hurried = false;
    co_return true;
  }
}

void FinishJobs::announce_failure(Job& job, ErrorCode code) {
  std::shared_ptr<Event> over;
  {
    std::lock_guard lock(mutex_);
    job.failure = code;
    over = std::exchange(job.attempt_over, std::make_shared<Event>());
  }
  over->set();
}

std::shared_ptr<Event> FinishJobs::hurry(Job& job) {
  std::lock_guard lock(mutex_);
  if (job.pause) {
    job.hurried = true;
    job.pause->set();
  }
  return job.attempt_over;
}

std::shared_ptr<Event> FinishJobs::next_attempt(Job& job) {
  std::lock_guard lock(mutex_);
  return job.attempt_over;
}

std::optional<ErrorCode> FinishJobs::failure(const Job& job) {
  std::lock_guard lock(mutex_);
  return job.failure;
}

void FinishJobs::give_way(Job& job) {
  std::lock_guard lock(mutex_);
  job.gives_way = true;
  if (job.pause) job.pause->set();
}

void FinishJobs::begin_close() noexcept {
  std::lock_guard lock(mutex_);
  closing_ = true;
  for (auto& [id, job] : jobs_) {
    if (job->pause) job->pause->set();
  }
}

// A store or a hook that throws has failed like any other.
Awaitable<Status> FinishJobs::caught_attempt(Job& job, HeldUpload& held, const RequestHead& cause) {
  std::exception_ptr thrown;
  try {
    co_return co_await attempt(job, held, cause);
  } catch (...) {
    thrown = std::current_exception();
  }
  co_return fail(error_from(std::move(thrown)));
}

Awaitable<Status> FinishJobs::attempt(Job& job, HeldUpload& held, const RequestHead& cause) {
  auto& upload = *held.upload;
  if (auto joined = co_await join_parts(job, held); !joined) co_return joined;
  auto digested = co_await digests_.complete(upload, *held.lease);
  if (!digested) co_return digested;
  const bool ask = parts_.hooks->wants(HookEvent::pre_finish);
  if (ask) {
    auto safe = co_await upload.finish(*held.lease, store_deadline());
    if (!safe) co_return safe;
    auto reply = co_await ask_hook(context_, HookEvent::pre_finish, upload.info(), cause);
    if (!reply) co_return fail(std::move(reply.error()));
    job.hook_response = shared(std::move(reply->response));
  }
  auto ticket = co_await promise_hook(context_, HookEvent::post_finish, upload.info(), cause);
  if (!ticket) co_return fail(std::move(ticket.error()));
  Status done;
  if (ask) {
    done = co_await upload.set_finish_state(*held.lease, FinishState::finished, store_deadline());
  } else {
    done = co_await upload.finish_and_record(*held.lease, store_deadline());
  }
  if (!done) {
    withdraw(context_, std::move(*ticket));
    co_return done;
  }
  happened(context_, std::move(*ticket));
  parts_.metrics->upload_finished(upload.info());
  log_upload(parts_, "UploadFinished", upload.info(), cause);
  co_return done;
}

// In slices: a stop ends it soon, and so does a DELETE. What was copied stays, and is gone on with.
Awaitable<Status> FinishJobs::join_parts(Job& job, HeldUpload& held) {
  auto& upload = *held.upload;
  while (upload.info().join_pending) {
    if (has_to_end(job)) co_return fail(ErrorCode::upload_finishing);
    const auto slice = Deadline::after(parts_.clock->now(), join_slice);
    auto joined = co_await upload.concatenate(*held.lease, slice);
    if (!joined) co_return fail(std::move(joined.error()));
    if (*joined == Joined::wholly && upload.info().join_pending) {
      co_return fail(ErrorCode::internal, "a join was not recorded");
    }
  }
  co_return Status();
}

bool FinishJobs::has_to_end(const Job& job) {
  std::lock_guard lock(mutex_);
  return closing_ || job.gives_way;
}

Deadline FinishJobs::store_deadline() const {
  return Deadline::after(parts_.clock->now(), options_.store_timeout);
}

void FinishJobs::log_failure(const Job& job, const RequestHead& cause, const Error& error,
                             unsigned attempt_number) const {
  const auto number = std::to_string(attempt_number);
  parts_.logger->log(LogLevel::error, "FinishFailed",
                     {{"id", job.id.str()},
                      {"error", describe(error.code()).code},
                      {"cause", error.detail()},
                      {"attempt", number, LogKind::number},
                      {"method", cause.method},
                      {"path", cause.target},
                      {"remote", cause.remote_address},
                      {"requestId", cause.request_id}});
}

Awaitable<void> FinishJobs::close(Deadline deadline) {
  begin_close();
  if (co_await group_.close(deadline)) co_return;
  // They are inside a store or a hook, which have deadlines of their own, and use what we are made of.
  parts_.logger->log(LogLevel::warn, "StopWaitsForFinish", {});
  co_await group_.close(Deadline::never());
}

}  // namespace tus::core
