// What creations, terminations and checksummed appends that were cut off have left in the bucket.
#pragma once

#include "stores/s3/context.h"

#include <tus/locker.h>

#include <chrono>
#include <optional>

namespace tus::s3 {

// The name under which a multipart upload may be removed. Nothing: it has none, or is not ours.
std::optional<UploadId> left_over_of(const Context& context, const ListedMultipart& upload);

// Removes the rest of an upload whose termination was cut off. False: there is no such thing under this name.
Awaitable<Result<bool>> go_on_terminating(Context& context, UploadId id, const Lease& lease,
                                          Deadline deadline);

// As Store::remove_left_over().
Awaitable<Result<std::optional<std::uint64_t>>> remove_left_over(
    Context& context, UploadId id, const Lease& lease, std::chrono::sys_seconds idle_since,
    Deadline deadline);

// Bytes that waited for a checksum. As far as it can.
Awaitable<void> remove_old_staged(Context& context, std::chrono::sys_seconds idle_since,
                                  Deadline deadline);

}  // namespace tus::s3
