// The hands of whoever changes an upload: each change in the bucket is made here.
#pragma once

#include "stores/s3/context.h"

#include <tus/locker.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tus::s3 {

// Used by one coroutine at a time.
class Work {
 public:
  Work(Context& context, State state, std::optional<ByteRun> tail);
  // Leaves what it knows to the next request.
  ~Work();
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  Context& context() noexcept { return context_; }
  const UploadInfo& info() const noexcept { return state.file.info; }

  // Before every change. Errors: lease_lost, upload_gone.
  Status may_write(const Lease& lease) const;
  // Before the first change: makes sure of the state, and that nobody else relies on what it remembers.
  Awaitable<Status> claim(const Lease& lease, Deadline deadline);
  // The same before parts are sent: the record then says how large the first one is. `first_part`, in bytes,
  // if nothing has said it before. See first_size().
  Awaitable<Status> claim_for_parts(const Lease& lease, std::uint64_t first_part,
                                    Deadline deadline);
  // Looks at everything again.
  Awaitable<Status> reload(Deadline deadline);
  // What is in the bucket may be something else than what we think: looked at before it is used again.
  void become_unsure() noexcept;

  // Replaces the record. `change` may be called again, on the record of another writer.
  using Change = std::function<void(stores::InfoFile&)>;
  Awaitable<Status> change(const Lease& lease, Change change, Deadline deadline);

  // Into the multipart upload, and nothing else: not counted yet. Its etag.
  Awaitable<Result<std::string>> put_part(const Lease& lease, std::uint32_t number, Payload payload,
                                          Deadline deadline);
  void count_part(StoredPart part);
  // Parts that must not count are made empty.
  Awaitable<Status> empty_gaps(const Lease& lease, Deadline deadline);
  // Becomes `.part`: all that lies behind the parts.
  Awaitable<Status> put_rest(const Lease& lease, const Slice& bytes, Deadline deadline);
  // `.part` is not needed any more. As far as it can.
  Awaitable<void> remove_rest(Deadline deadline);
  // Appends the bytes [parts_end, until) of `.part` to `run`, which begins there.
  Awaitable<Status> fetch_rest(ByteRun& run, std::uint64_t until, Deadline deadline);

  // Goes with the next change of the record.
  void set_digest(UploadDigest digest);
  bool has_new_digest() const noexcept { return new_digest_; }

  // It is terminated.
  void become_gone() noexcept;

  State state;
  std::optional<ByteRun> tail;  // the bytes of `.part` that count, where they are in memory

 private:
  Awaitable<Status> put_record(stores::InfoFile next, Deadline deadline);
  Awaitable<Status> validate(Deadline deadline);
  Awaitable<Status> find_rest(const std::string& write, Deadline deadline);
  Awaitable<Status> be_sure(Deadline deadline);

  Context& context_;
  std::shared_ptr<Presence> presence_;
  std::uint64_t ticket_ = 0;
  bool claimed_ = false;
  bool sure_ = true;
  bool new_digest_ = false;
};

}  // namespace tus::s3
