// Finding out how an upload stands by asking the bucket alone.
#pragma once

#include "stores/s3/state.h"
#include "stores/s3/warm_uploads.h"

#include <tus/deadline.h>
#include <tus/error.h>

namespace tus::s3 {

// As errors of the store: what S3 said is for the log.
Error as_error(Failure failure);

// Whether an object was made by the upload with this mark.
bool is_marked(const UserMetadata& metadata, const std::string& mark);

class Looker {
 public:
  // All must outlive it.
  Looker(Bucket& bucket, const Names& names) : bucket_(bucket), names_(names) {}

  // One round of requests side by side, where nothing is unusual. Errors: upload_not_found,
  // upload_damaged, upload_gone, store_unavailable.
  Awaitable<Result<State>> look(UploadId id, Deadline deadline);
  // The record alone.
  Awaitable<Result<State>> read_record(UploadId id, Deadline deadline);
  // Also that of an upload that is being terminated, or has another id with the same object.
  Awaitable<Result<State>> read_any_record(UploadId id, std::string object, Deadline deadline);
  // Whether it is another one than was seen, or gone.
  Awaitable<Result<bool>> record_changed(const Glance& seen, Deadline deadline);
  // The rest of it, for a record that was read.
  Awaitable<Result<State>> look_at_data(State state, Deadline deadline);
  // As S3 lists them, with gaps and empty ones.
  Awaitable<Answer<std::vector<PartLook>>> all_parts(MultipartName upload, Deadline deadline);

 private:
  Awaitable<Result<State>> read_record_of(UploadId id, std::string object, Deadline deadline);
  Awaitable<Answer<std::optional<Rest>>> look_at_rest(std::string object, Deadline deadline);
  Awaitable<Result<State>> combine(State state, Answer<std::vector<PartLook>> parts,
                                   Answer<std::optional<Rest>> rest, Deadline deadline);
  Awaitable<Result<State>> without_multipart(State state, Deadline deadline);

  Bucket& bucket_;
  const Names& names_;
};

}  // namespace tus::s3
