// Finishing uploads, independent of the requests that brought their last byte.
#pragma once

#include "async/event.h"
#include "async/task_group.h"
#include "core/hook_calls.h"
#include "core/lease_keeper.h"
#include "core/progress.h"
#include "core/whole_digests.h"

#include <tus/handler.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace tus::core {

// An upload with all that is needed to change it.
struct HeldUpload {
  HeldUpload() = default;

  std::shared_ptr<LeaseKeeper> keeper;
  std::unique_ptr<Lease> lease;
  std::unique_ptr<Upload> upload;
  // By the call that opened it. Not in place: coroutines that wait for a stalled client keep several of these.
  std::unique_ptr<AppendOutcome> appended;
  std::unique_ptr<ProgressSource>
      progress;  // of the body that is being received, if hooks want to know
};

// One job per upload: join its parts, if it has any; make the bytes safe, ask pre-finish, record it as finished. A job that fails is
// tried again with growing delay, whether a client waits or not, and given up visibly in the end. It
// holds the lease of its upload all the time.
class FinishJobs {
 public:
  class Job {
   public:
    UploadId id;
    bool is_final = false;
    Event done;  // what follows is set before, and read only after
    Status result;
    std::shared_ptr<Response> hook_response;
    UploadInfo upload;

   private:
    friend class FinishJobs;
    // Guarded by FinishJobs::mutex_.
    std::shared_ptr<Event> attempt_over = std::make_shared<Event>();  // this one, or the next
    std::optional<ErrorCode> failure;                                 // of the last attempt
    std::shared_ptr<Event> pause;  // while it waits for the next attempt
    bool hurried = false;
    bool gives_way = false;
  };

  // All but the executor must outlive the jobs. `finished` hears of each upload that a job has finished, when its
  // lease is free again.
  FinishJobs(
      const HandlerOptions& options, const HandlerParts& parts, WholeDigests& digests,
      asio::any_io_executor executor,
      std::function<void(const UploadInfo&)> finished = [](const UploadInfo&) {});

  std::shared_ptr<Job> find(const UploadId& id);
  // Takes the upload over. `cause` is the head of the request that completed it, for hooks.
  // Nothing when the jobs are closed: the finish is taken up after the next start.
  std::shared_ptr<Job> start(HeldUpload held, RequestHead cause);
  std::size_t running() const noexcept { return group_.running(); }

  // Somebody waits for it: an attempt is made now rather than at its time, though not in quick succession.
  // It does not count as one of the attempts after which the job is given up. Set when the attempt that
  // runs, or else the next one, is over; then failure() says how, unless the job is done.
  std::shared_ptr<Event> hurry(Job& job);
  std::shared_ptr<Event> next_attempt(Job& job);
  std::optional<ErrorCode> failure(const Job& job);
  // Somebody wants the upload gone: a job that fails now, or waits for its next attempt, ends.
  void give_way(Job& job);

  // Jobs that are between two attempts, or fail from now on, end without success and stay pending.
  void begin_close() noexcept;
  // Waits for running jobs; those that are between two attempts end without success and stay pending.
  Awaitable<void> close(Deadline deadline);
  bool closing() const noexcept { return closing_.load(); }

 private:
  // Forgets the job and wakes who waits for it.
  void end(const std::shared_ptr<Job>& job) noexcept;
  Awaitable<void> run(std::shared_ptr<Job> job, HeldUpload held, RequestHead cause);
  Awaitable<Status> caught_attempt(Job& job, HeldUpload& held, const RequestHead& cause);
  Awaitable<Status> attempt(Job& job, HeldUpload& held, const RequestHead& cause);
  // The bytes of a final upload, where they are not in it yet.
  Awaitable<Status> join_parts(Job& job, HeldUpload& held);
  bool has_to_end(const Job& job);
  Awaitable<Status> try_until_done(Job& job, HeldUpload& held, const RequestHead& cause);
  Awaitable<bool> abandon(const Job& job, HeldUpload& held, const RequestHead& cause,
                          unsigned attempts);
  void announce_failure(Job& job, ErrorCode code);
  Awaitable<bool> pause(Job& job, Deadline::Point due);
  void log_failure(const Job& job, const RequestHead& cause, const Error& error,
                   unsigned attempt) const;
  Deadline store_deadline() const;

  const HandlerOptions& options_;
  const HandlerParts& parts_;
  HookContext context_;
  WholeDigests& digests_;
  asio::any_io_executor executor_;
  std::function<void(const UploadInfo&)> finished_;
  std::atomic<bool> closing_ = false;
  std::mutex mutex_;
  std::unordered_map<UploadId, std::shared_ptr<Job>> jobs_;
  TaskGroup group_;
};

}  // namespace tus::core
