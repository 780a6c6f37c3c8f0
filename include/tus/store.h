// Where uploads are kept. Implement this to bring your own storage; tus::testing has the contract suite.
#pragma once

#include <tus/async.h>
#include <tus/body_source.h>
#include <tus/deadline.h>
#include <tus/error.h>
#include <tus/locker.h>
#include <tus/upload_info.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

TUS_NAMESPACE_BEGIN

struct StoreCapabilities {
  bool terminate = true;
  bool defer_length = true;
  bool concatenate = false;
  bool staged_append = false;
  bool keeps_digest = false;  // set_digest() and save_digest() do what they say
  // False where finish() has nothing to do (no fsync, no multipart upload to complete): then a finished
  // upload can be told from offset == length alone and needs no record.
  bool needs_finish = true;
};

struct AppendRequest {
  AppendRequest() = default;
  explicit AppendRequest(std::uint64_t at) : offset(at) {}

  enum class Mode : std::uint8_t {
    plain,
    // The bytes count only after commit_staged(): the store remembers the start safely before the first
    // of them, so that a crash, rollback_staged() or the next open() brings the offset back to it.
    staged,
  };
  std::uint64_t offset = 0;  // must equal the upload's offset
  Mode mode = Mode::plain;
};

class Upload;

// How far a call of Upload::concatenate() has come.
enum class Joined : std::uint8_t { partly, wholly };

struct AppendOutcome {
  AppendOutcome() = default;

  std::uint64_t safe_offset = 0;     // the offset that a client may be told from now on
  std::uint64_t staged_offset = 0;   // staged mode: where the bytes end that await commit
  BodyState body = BodyState::open;  // why the body gave no more; open: the store gave up
  std::optional<Error> error;        // the store's own failure, if any
};

// Decides, from the state of an upload, whether an append may begin at once, and where. Pure; called on
// any thread. Nothing: the caller wants to look at the upload first.
using AppendCheck = std::function<std::optional<AppendRequest>(const UploadInfo&)>;

struct OpenedUpload {
  OpenedUpload() = default;

  std::unique_ptr<Upload> upload;
  std::optional<AppendOutcome> appended;  // when the check allowed it
};

// What a stream has put into a socket.
struct StreamSent {
  std::uint64_t bytes = 0;
  bool socket_is_full = false;  // it takes nothing more for now
  int socket_error = 0;         // errno: it takes nothing more at all
};

// One finite stream of bytes out of a store. Used by one coroutine. It holds no lease: whoever terminates the
// upload meanwhile makes it fail, or go on with the same bytes.
class TUS_EXPORT ReadStream {
 public:
  virtual ~ReadStream() = default;
  // Up to into.size() bytes; 0 at the end. `into` must stay valid until the call returns.
  virtual Awaitable<Result<std::size_t>> read(std::span<std::byte> into, Deadline deadline) = 0;

  // When its bytes were written, where the store knows.
  virtual std::optional<std::chrono::sys_seconds> last_modified() const noexcept { return {}; }

  // Whether send_to() works now: the bytes lie where the kernel can move them itself.
  virtual bool can_send() const noexcept { return false; }
  // Instead of read(): puts bytes into a socket that does not block, until it is full or a fair share of
  // them has gone. The socket stays open until the call returns. An error is the store's.
  virtual Awaitable<Result<StreamSent>> send_to(int socket, Deadline deadline);
};

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

struct StoreUsage {
  std::uint64_t bytes = 0;
  std::uint64_t uploads = 0;
  // Where all uploads together have a limit: it, and what is taken of it, with lengths that are still to come.
  std::optional<std::uint64_t> limit = std::nullopt;
  std::uint64_t taken = 0;
};

struct ScanOptions {
  ScanOptions() = default;

  // When set: only uploads that are not finished and whose last_activity is known and before this. A store
  // passes over all others as cheaply as it can, tells what belongs to no upload any more, and may clear
  // away temporary files of its own that are as old.
  std::optional<std::chrono::sys_seconds> idle_since;
};

struct ScanPage {
  ScanPage() = default;

  std::vector<UploadInfo> uploads;   // may be empty before the end
  std::vector<UploadId> left_overs;  // with idle_since: names for Store::remove_left_over()
  bool at_end = false;
};

// A walk through all uploads of a store. Used by one coroutine; must not outlive its store.
class TUS_EXPORT UploadScan {
 public:
  virtual ~UploadScan() = default;
  // A few more of them, each once. Uploads that come or go meanwhile may or may not be seen, and those
  // whose state cannot be read are not. Not called again at the end, or after an error.
  virtual Awaitable<Result<ScanPage>> next(Deadline deadline) = 0;
};

// An upload that was opened under a lease. One coroutine at a time uses it, on any executor; it must not
// outlive its store. Every call that changes something takes the lease and fails with lease_lost rather
// than write without it.
class TUS_EXPORT Upload {
 public:
  virtual ~Upload() = default;

  // As of the last call on this object. Valid as long as the object.
  virtual const UploadInfo& info() const noexcept = 0;

  // Takes bytes from `source` until it ends and keeps what arrived, however it ends. Never answers for
  // less than it has kept: safe_offset is exact. Errors in the outcome: no_space, store_unavailable,
  // lease_lost, mismatched_offset.
  virtual Awaitable<AppendOutcome> append(const Lease& lease, BodySource& source,
                                          AppendRequest request, Deadline deadline) = 0;
  virtual Awaitable<Status> commit_staged(const Lease& lease, Deadline deadline);
  virtual Awaitable<Status> rollback_staged(const Lease& lease, Deadline deadline);

  // Once, for an upload without a length; length >= offset is the caller's check.
  virtual Awaitable<Status> declare_length(const Lease& lease, std::uint64_t length,
                                           Deadline deadline) = 0;

  // Records how far finishing is. When it returns, the record survives the death of the process, and a
  // power cut as far as the store promises.
  virtual Awaitable<Status> set_finish_state(const Lease& lease, FinishState state,
                                             Deadline deadline) = 0;

  // Makes the bytes whole and safe (fsync, complete a multipart upload). Idempotent: called again after
  // a failure, a time-out whose outcome is unknown, or a restart. Does not change info().finish.
  virtual Awaitable<Status> finish(const Lease& lease, Deadline deadline) = 0;

  // finish() and set_finish_state(finished) in one go, where nothing has to happen between the two.
  virtual Awaitable<Status> finish_and_record(const Lease& lease, Deadline deadline);

  // The digest that goes with the next change of the upload's record, and into info(). Costs nothing by
  // itself: a process that ends before forgets it.
  virtual void set_digest(UploadDigest digest);
  // Writes it down, if nothing else has.
  virtual Awaitable<Status> save_digest(const Lease& lease, Deadline deadline);

  virtual Awaitable<Status> terminate(const Lease& lease, Deadline deadline) = 0;

  // Fills this upload, whose join is pending and whose length is known, with the bytes of its
  // partial_uploads in order. Stops soon after the deadline and says `partly`; the next call goes on,
  // also on another object, after a failure and after a restart (there it may start over). Nobody sees
  // any of the bytes before all of them are there: the call that ends with `wholly` has made them as safe
  // as finish() would, and then recorded that the join is not pending any more. The caller sees to it
  // that the parts are complete and stay. Errors: upload_gone (a part is not there), upload_damaged (the
  // parts have another length together), no_space (what was copied takes no space any more),
  // store_unavailable, lease_lost.
  virtual Awaitable<Result<Joined>> concatenate(const Lease& lease, Deadline deadline);
};

// All calls may be made from any executor, concurrently for different uploads.
class TUS_EXPORT Store {
 public:
  virtual ~Store() = default;

  virtual StoreCapabilities capabilities() const noexcept = 0;

  // Does what the first creation would otherwise have to wait for, where there is such a thing. Called at the
  // start, beside everything else, again and again while the deadline was too short for it.
  virtual Awaitable<Status> prepare(Deadline deadline);

  // Where the store has a say in the id of an upload, or in where its bytes go: settles both before anybody
  // hears of it. `id` and `storage` are wishes before and final afterwards. The default leaves the draft as
  // it is. Errors: store_unavailable, internal (a wish that cannot be met).
  virtual Awaitable<Result<UploadDraft>> place(UploadDraft draft, Deadline deadline);
  // When no upload is made of it in the end, also after create() has failed. As far as it can.
  virtual Awaitable<void> give_up_place(UploadDraft draft, Deadline deadline);

  // Makes a new upload, with its first bytes where they are here already (at most the draft's length).
  // Nothing is left behind when it fails, but for the draft's place. `first` must stay valid until the call returns. Errors:
  // upload_exists, no_space, store_unavailable.
  virtual Awaitable<Result<std::unique_ptr<Upload>>> create(UploadDraft draft, const Lease& lease,
                                                            std::span<const std::byte> first,
                                                            Deadline deadline) = 0;

  // Opens an upload for changes. Errors: upload_not_found, upload_damaged, upload_gone,
  // store_unavailable.
  virtual Awaitable<Result<std::unique_ptr<Upload>>> open(UploadId id, const Lease& lease,
                                                          Deadline deadline) = 0;

  // open() and, where `check` allows it, append(): for stores in which both together cost less than one
  // after the other. The default does just that, one after the other.
  virtual Awaitable<Result<OpenedUpload>> open_and_append(UploadId id, const Lease& lease,
                                                          BodySource& source, AppendCheck check,
                                                          Deadline deadline);

  // The state of an upload as last made safe, without a lease and without changing anything.
  virtual Awaitable<Result<UploadInfo>> inspect(UploadId id, Deadline deadline) = 0;

  // Bytes of an upload, without a lease. The range must lie below the upload's offset.
  virtual Awaitable<Result<std::unique_ptr<ReadStream>>> read(UploadId id, ByteRange range,
                                                              Deadline deadline) = 0;

  // Costs nothing before the first page.
  virtual std::unique_ptr<UploadScan> scan(ScanOptions options) = 0;
  // Removes what a creation or a termination that was cut off has left under this name, if it still
  // belongs to no upload and has not been changed since `idle_since`. The bytes that it held; nothing: it
  // was left alone. For what a scan has named.
  virtual Awaitable<Result<std::optional<std::uint64_t>>> remove_left_over(
      UploadId id, const Lease& lease, std::chrono::sys_seconds idle_since, Deadline deadline);
  // The final uploads whose join is pending, cheaply: it is asked often, and there are few. May also name
  // some whose join has just ended. One that is created is named before create() returns.
  virtual Awaitable<Result<std::vector<UploadId>>> pending_joins(Deadline deadline);
  virtual Awaitable<Result<StoreUsage>> usage(Deadline deadline) = 0;
  // Whether uploads can be written now; the error says why not.
  virtual Awaitable<Status> health(Deadline deadline) = 0;

  // Makes safe what was acknowledged under a weaker promise, before the process ends.
  virtual Awaitable<void> close(Deadline deadline) = 0;
};

TUS_NAMESPACE_END
