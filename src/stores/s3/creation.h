// Making a new upload.
#pragma once

#include "stores/s3/context.h"
#include "stores/s3/s3_upload.h"

#include <memory>
#include <span>

namespace tus::s3 {

// As Store::place(): begins the multipart upload, whose name becomes a part of the id.
Awaitable<Result<UploadDraft>> place(Context& context, UploadDraft draft, Deadline deadline);
Awaitable<void> give_up_place(Context& context, UploadDraft draft, Deadline deadline);

// As Store::create().
class Creation {
 public:
  // All must outlive it.
  Creation(Context& context, const Lease& lease, std::span<const std::byte> first,
           Deadline deadline)
      : context_(context), lease_(lease), first_(first), deadline_(deadline) {}

  Awaitable<Result<std::unique_ptr<Upload>>> make(UploadDraft draft);

 private:
  Awaitable<Result<State>> begin(UploadDraft draft);
  Awaitable<Status> put_record(State& state);
  Awaitable<Status> clear_the_way(State& state);
  Awaitable<Status> mark_join(const State& state);
  Awaitable<Status> make_at_once(State& state);
  Awaitable<Status> fill(S3Upload& upload);
  Awaitable<void> take_back(State state, const Error& why);

  Context& context_;
  const Lease& lease_;
  const std::span<const std::byte> first_;
  const Deadline deadline_;
  bool is_placed_ = false;
};

}  // namespace tus::s3
