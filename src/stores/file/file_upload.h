// One upload of the file store, opened for changes.
#pragma once

#include "stores/file/context.h"
#include "stores/file/join.h"

#include <tus/store.h>

#include <chrono>

namespace tus::file_store {

// The record or the data went away while the upload was open.
Error gone_if_missing(const Error& error);

// The methods that are not coroutines run on a thread of the blocking pool.
class FileUpload final : public Upload {
 public:
  FileUpload(Context& context, Loaded loaded, std::shared_ptr<Unsafe> unsafe);

  ~FileUpload() override;

  const UploadInfo& info() const noexcept override { return file_.info; }

  Awaitable<AppendOutcome> append(const Lease& lease, BodySource& source, AppendRequest request,
                                  Deadline deadline) override;

  // What an append keeps while it waits for its client: there is one for every stalled upload, so it is
  // small and holds no buffer and no descriptor.
  struct Run {
    Run(AppendRequest request, std::uint64_t start)
        : staged(request.mode == AppendRequest::Mode::staged), at(start) {
      if (request.offset != start) error = Error(ErrorCode::mismatched_offset);
    }

    bool over() const { return error || body != BodyState::open; }

    Fd data;  // open only within a job, and between two jobs of a fast flow
    bool staged;
    bool begun = false;
    BodyState body = BodyState::open;
    std::uint64_t at;  // where the next byte goes
    std::uint64_t written_back = 0;
    std::uint64_t opened_at = 0;  // `at` when the data was opened
    std::chrono::steady_clock::time_point settled;
    std::optional<Error> error;
  };

  // The first job of an append, for whoever is on a pool thread with it already. Goes on with go_on().
  std::unique_ptr<Run> begin_append(const Lease& lease, BodySource& source, AppendRequest request,
                                    std::span<std::byte> scratch);
  Awaitable<AppendOutcome> go_on(const Lease& lease, BodySource& source, std::unique_ptr<Run> run);

  Awaitable<Status> commit_staged(const Lease& lease, Deadline deadline) override;
  Awaitable<Status> rollback_staged(const Lease& lease, Deadline deadline) override;
  Awaitable<Status> declare_length(const Lease& lease, std::uint64_t length,
                                   Deadline deadline) override;
  Awaitable<Status> set_finish_state(const Lease& lease, FinishState state,
                                     Deadline deadline) override;
  Awaitable<Status> finish(const Lease& lease, Deadline deadline) override;
  Awaitable<Status> finish_and_record(const Lease& lease, Deadline deadline) override;
  Awaitable<Status> terminate(const Lease& lease, Deadline deadline) override;
  void set_digest(UploadDigest digest) override { file_.info.digest = std::move(digest); }
  Awaitable<Status> save_digest(const Lease& lease, Deadline deadline) override;
  Awaitable<Result<Joined>> concatenate(const Lease& lease, Deadline deadline) override;

 private:
  std::unique_ptr<Run> start(AppendRequest request);
  // One job of an append: moves what is here, and a little more while it comes fast.
  void move_bytes(const Lease& lease, BodySource& source, Run& run, std::span<std::byte> scratch);
  std::uint64_t find_space(BodySource& source, Run& run);
  Status begin(Run& run, std::span<std::byte> scratch);
  Status make_ready(int data, bool staged);
  void count(Run& run, std::uint64_t bytes);
  void undo_partial_write(Run& run);
  void close_data(Run& run);
  // fsync=always: what has come is made safe, and only then counts.
  void settle(const Lease& lease, Run& run);
  bool unsettled(const Run& run) const;
  // So much, or for so long, that a process that dies now would lose too much of a long append.
  bool long_unsettled(const Run& run) const;

  Status commit_now(const Lease& lease, std::span<std::byte> scratch);
  Status rollback_now(const Lease& lease, std::span<std::byte> scratch);
  Status declare_now(const Lease& lease, std::uint64_t length, std::span<std::byte> scratch);
  Status set_finish_now(const Lease& lease, FinishState state, std::span<std::byte> scratch);
  Status finish_now(const Lease& lease, std::span<std::byte> scratch);
  Status sync_before_finished();
  // Makes the first `size` bytes of the data safe, as surely as can be.
  Status sync_first(int data, std::uint64_t size);
  Status sync_bytes(const Lease& lease, std::span<std::byte> scratch);
  Status terminate_now(const Lease& lease);
  Status remove_files();
  // In join.cpp.
  Result<Joined> join_now(const Lease& lease, std::span<std::byte> scratch);
  Status begin_join();
  Status end_join();

  // What every change begins with.
  Status may_change(const Lease& lease, std::span<std::byte> scratch);
  Status replace(InfoFile next);
  Result<Fd> open_data(int flags);
  DurableMark mark(std::uint64_t offset) const;

  Context& context_;
  std::shared_ptr<Handover> handover_;
  InfoFile file_;            // as it is on disk
  std::uint64_t data_size_;  // of the data file, more than counts after a crash or while staged
  std::shared_ptr<Unsafe> unsafe_;  // fsync=finish, once something was written
  std::unique_ptr<JoinWork> join_;
  bool staged_ = false;  // an append of this object awaits commit_staged()
  bool synced_ = false;  // finish() has succeeded
  bool gone_ = false;    // terminate() has removed it, and the id may be another's
  bool unsure_ = false;  // a failed replace() left the old record or the new one
};

}  // namespace tus::file_store
