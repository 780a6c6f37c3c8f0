// Carries out commands over the ports: lock -> load -> check -> write -> commit -> events, once for all
// protocols and all stores.
#pragma once

#include "core/eviction.h"
#include "core/expiry.h"
#include "core/finish_jobs.h"
#include "core/hashing_source.h"
#include "core/joins.h"
#include "protocol/command.h"
#include "protocol/limits.h"

#include <tus/handler.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace tus::core {

// The request behind a command. Everything in it outlives the call it is passed to.
struct Request {
  const RequestHead& head;
  BodySource& body;
  const Exchange& exchange;
};

// Calls may come from any executor, concurrently.
class UploadService {
 public:
  // `options` and `parts` (all set) must outlive the service. `background` runs finish jobs.
  UploadService(const HandlerOptions& options, const HandlerParts& parts,
                asio::any_io_executor background);

  Awaitable<Outcome> create(CreateCommand command, Request request);
  // `command` has to stay until it returns.
  Awaitable<Outcome> append(const AppendCommand& command, Request request);
  Awaitable<Outcome> inspect(InspectCommand command, Request request);
  Awaitable<Outcome> terminate(TerminateCommand command, Request request);

  // Starts the finish jobs of uploads that have all their bytes and were not finished when an earlier
  // process ended.
  void start_recovery();
  // One pass over the store. Gently: half of the time goes to others.
  enum class SweepPace : std::uint8_t { gentle, fast };
  Awaitable<Result<SweepReport>> sweep(SweepPace pace);
  // Whether there was an upload of this name, and it has expired.
  bool has_departed(std::string_view id) const;
  // As Handler's.
  void begin_close() noexcept {
    jobs_.begin_close();
    stopping_.set();
  }
  Awaitable<void> close(Deadline deadline);

 private:
  // `first`: the whole body, when it is here already.
  Awaitable<Result<HeldUpload>> create_held(UploadDraft draft, Request request,
                                            std::optional<std::span<const std::byte>> first);
  // in_secret: nobody else can know its id before it is there, so it needs no lock.
  enum class Creating : std::uint8_t { in_secret, under_lease };
  Awaitable<Result<HeldUpload>> create_placed(UploadDraft draft, const RequestHead& head,
                                              std::span<const std::byte> first, Creating how);
  // The bytes that a store may begin to take while it opens an upload.
  struct EarlyAppend {
    BodySource& body;
    AppendCheck check;
  };
  // `early` may be nullptr.
  Awaitable<Result<HeldUpload>> open_held(UploadId id, Deadline::Point since,
                                          const EarlyAppend* early);
  // Opens an upload that is not in the middle of a finish, joining or starting one that is due.
  Awaitable<std::expected<HeldUpload, Outcome>> open_settled(UploadId id, const RequestHead& head,
                                                             const EarlyAppend* early);
  static bool is_settled(const HeldUpload& held);
  // Goes on with what open_held() gave; with nothing held, it waits for the finish that runs.
  Awaitable<std::expected<HeldUpload, Outcome>> settle(Result<HeldUpload> held, UploadId id,
                                                       Deadline::Point since,
                                                       const RequestHead& head,
                                                       const EarlyAppend* early);
  Awaitable<std::expected<HeldUpload, Outcome>> open_to_end(UploadId id);
  Awaitable<Status> prepare(HeldUpload& held, const protocol::LengthAnswer& limit);
  // Coroutines of their own: what they need is not kept for every upload whose append waits in the store.
  Awaitable<Outcome> received_early(HeldUpload held, Request request, std::uint64_t start);
  Awaitable<Outcome> append_to(HeldUpload held, const AppendCommand& command, Request request,
                               const ChecksumDemand* demand);
  Awaitable<Outcome> append_to_finished(HeldUpload held, Request request,
                                        const ChecksumDemand* demand);
  AppendCheck plain_append_check(const AppendCommand& command, const RequestHead& head) const;
  Awaitable<Outcome> receive(HeldUpload held, Request request, protocol::LengthAnswer limit);
  Awaitable<Outcome> received(HeldUpload held, Request request, AppendOutcome moved,
                              ErrorCode excess);
  Awaitable<AppendOutcome> move_body(HeldUpload& held, Request request,
                                     std::optional<std::uint64_t> allowance);
  // In checked_append.cpp.
  static bool is_checked_already(const ChecksumDemand& demand, Request request);
  Awaitable<Outcome> receive_checked(HeldUpload held, Request request, protocol::LengthAnswer limit,
                                     ChecksumDemand demand);
  Awaitable<std::optional<Error>> take_checked(HeldUpload& held, Request request,
                                               protocol::LengthAnswer limit, ChecksumDemand demand);
  Awaitable<AppendOutcome> stage_body(HeldUpload& held, Request request,
                                      std::optional<std::uint64_t> allowance,
                                      ByteObserver& observer);
  Awaitable<Outcome> complete(HeldUpload held, const RequestHead& head);
  Awaitable<Outcome> start_finish(HeldUpload held, const RequestHead& head);
  Awaitable<Outcome> join(std::shared_ptr<FinishJobs::Job> job);
  // Makes an upload go that is held, and tells who wants to know.
  enum class Ending : std::uint8_t { terminated, expired };
  Awaitable<Status> end_upload(HeldUpload& held, const RequestHead& head,
                               Ending ending = Ending::terminated);
  Awaitable<void> recover();
  Awaitable<void> try_left_over(UploadId id);
  Awaitable<void> finish_left_over(UploadId id);

  // In service_hooks.cpp.
  Awaitable<Result<UploadDraft>> draft_upload(CreateCommand& command, const RequestHead& head,
                                              std::shared_ptr<Response>& hook_response);
  // A hook wants it gone.
  Awaitable<Outcome> stop_upload(HeldUpload held, Request request);

  // In service_joins.cpp.
  enum class JoinAfter : std::uint8_t { part, restart };  // what makes it be tried
  Awaitable<Outcome> create_final(CreateCommand command, Request request);
  Awaitable<Outcome> make_final(UploadDraft draft, Request request);
  Awaitable<Outcome> start_join(HeldUpload held, Survey survey, RequestHead head);
  Awaitable<Outcome> inspect_join(UploadInfo info, const RequestHead& head);
  // Any thread: starts what waits for it, or is due behind it.
  void upload_finished(const UploadInfo& info);
  bool can_join() const;
  Awaitable<void> start_joins_of(UploadId part);
  Awaitable<void> try_join(UploadId id, JoinAfter after);
  Awaitable<Status> join_if_ready(UploadId id, JoinAfter after);
  Awaitable<void> recover_joins();
  // Error: upload_locked, for a part that a join needs.
  Awaitable<Status> may_end(const UploadInfo& info);
  Awaitable<void> remove_parts(UploadInfo final_upload);
  void log_join_problem(std::string_view event, std::string_view id, const Error& error) const;

  // In service_expiry.cpp.
  Awaitable<void> keep_sweeping();
  Awaitable<Status> sweep_page(const ScanPage& page, std::chrono::sys_seconds idle,
                               SweepReport& report);
  Awaitable<Result<bool>> is_over(UploadInfo upload);
  Awaitable<Status> expire(UploadInfo upload, SweepReport& report);
  Awaitable<Status> remove_left_over(UploadId id, std::chrono::sys_seconds idle,
                                     SweepReport& report);
  // In service_eviction.cpp.
  Awaitable<void> prepare_store();
  // Store::create(), after making room where that is wanted.
  Awaitable<Result<std::unique_ptr<Upload>>> create_in_store(UploadDraft draft, const Lease& lease,
                                                             std::span<const std::byte> first);
  Awaitable<bool> make_room(UploadDraft draft, std::uint64_t first_bytes);
  Awaitable<Result<EvictionPlan>> plan_eviction(std::vector<std::string> needed,
                                                std::uint64_t missing, Deadline deadline);
  Awaitable<bool> is_left_alone(const UploadInfo& info);
  Awaitable<bool> nobody_needs(const UploadInfo& info);
  Awaitable<bool> evict(UploadId id, std::uint64_t room);

  bool needs_finish() const;
  bool nobody_asks_at_finish() const;
  bool announces_changes() const;
  Deadline lock_deadline() const;
  Deadline store_deadline() const;

  const HandlerOptions& options_;
  const HandlerParts& parts_;
  HookContext context_;
  asio::any_io_executor background_;
  WholeDigests digests_;
  Joins joins_;
  Turnstile evictions_;
  FinishJobs jobs_;
  Departed departed_;
  Event stopping_;
  TaskGroup recovery_;  // and what else is done for no request
};

}  // namespace tus::core
