// The two ends of an upload.
#pragma once

#include "stores/s3/work.h"

namespace tus::s3 {

// Makes the object of the parts; idempotent. As Upload::finish().
Awaitable<Status> complete(Work& work, const Lease& lease, Deadline deadline);

// Completes `parts` of an upload that has exactly these, and looks whether the right object is there when
// nobody says so.
Awaitable<Status> complete_parts(Work& work, const Lease& lease, std::vector<PartTag> parts,
                                 Deadline deadline);

// So many bytes of `.part` that lie behind the parts.
Awaitable<Result<ByteRun>> take_rest(Work& work, std::uint64_t size, Deadline deadline);

// Makes them the next part. `.part` stays.
Awaitable<Status> make_part_of_rest(Work& work, const Lease& lease, std::uint64_t size,
                                    Deadline deadline);

// As Upload::terminate().
Awaitable<Status> remove(Work& work, const Lease& lease, Deadline deadline);

// What an upload that has this record takes in the bucket, and then the record.
Awaitable<Status> remove_all(Context& context, State state, Deadline deadline);

// The same of an upload that has neither a multipart upload nor an object, and no object that comes meanwhile.
Awaitable<Status> remove_all_but_data(Context& context, State state, Deadline deadline);

}  // namespace tus::s3
