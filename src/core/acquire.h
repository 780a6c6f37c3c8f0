// Taking an upload's lease for a request, with a look at the clock.
#pragma once

#include <tus/handler.h>
#include <tus/locker.h>

#include <memory>

namespace tus::core {

// As Locker::acquire(). `parts` has to stay until it returns.
Awaitable<Result<std::unique_ptr<Lease>>> acquire(const HandlerParts& parts, UploadId id,
                                                  Deadline deadline,
                                                  std::shared_ptr<LeaseHolder> holder);

}  // namespace tus::core
