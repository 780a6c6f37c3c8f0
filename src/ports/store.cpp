#include <tus/store.h>

TUS_NAMESPACE_BEGIN

Awaitable<Result<StreamSent>> ReadStream::send_to(int, Deadline) {
  co_return fail(ErrorCode::not_implemented);
}

Awaitable<Status> Upload::commit_staged(const Lease&, Deadline) {
  co_return fail(ErrorCode::not_implemented);
}

Awaitable<Status> Upload::rollback_staged(const Lease&, Deadline) {
  co_return fail(ErrorCode::not_implemented);
}

Awaitable<Status> Upload::finish_and_record(const Lease& lease, Deadline deadline) {
  auto finished = co_await finish(lease, deadline);
  if (!finished) co_return finished;
  co_return co_await set_finish_state(lease, FinishState::finished, deadline);
}

void Upload::set_digest(UploadDigest) {}

Awaitable<Status> Upload::save_digest(const Lease&, Deadline) {
  co_return fail(ErrorCode::not_implemented);
}

Awaitable<Result<Joined>> Upload::concatenate(const Lease&, Deadline) {
  co_return fail(ErrorCode::not_implemented);
}

Awaitable<Status> Store::prepare(Deadline) { co_return Status(); }

Awaitable<Result<UploadDraft>> Store::place(UploadDraft draft, Deadline) { co_return draft; }

Awaitable<void> Store::give_up_place(UploadDraft, Deadline) { co_return; }

Awaitable<Result<std::vector<UploadId>>> Store::pending_joins(Deadline) {
  co_return std::vector<UploadId>();
}

Awaitable<Result<std::optional<std::uint64_t>>> Store::remove_left_over(UploadId, const Lease&,
                                                                        std::chrono::sys_seconds,
                                                                        Deadline) {
  co_return std::nullopt;
}

Awaitable<Result<OpenedUpload>> Store::open_and_append(UploadId id, const Lease& lease,
                                                       BodySource& source, AppendCheck check,
                                                       Deadline deadline) {
  auto upload = co_await open(std::move(id), lease, deadline);
  if (!upload) co_return fail(std::move(upload.error()));
  OpenedUpload opened;
  opened.upload = std::move(*upload);
  if (auto request = check(opened.upload->info())) {
    opened.appended = co_await opened.upload->append(lease, source, *request, Deadline::never());
  }
  co_return opened;
}

TUS_NAMESPACE_END
