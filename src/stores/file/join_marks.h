// Which final uploads await their join, without a look at all records: one small file each in .tusd/joins.
#pragma once

#include "stores/file/context.h"

#include <tus/upload_id.h>

#include <span>
#include <vector>

namespace tus::file_store {

// All of these block. A mark is made before the record that it speaks of, and removed after it has changed:
// so a pending join is never without one, and one without a pending join means nothing.
Status add_join_mark(Context& context, const UploadId& id);
void remove_join_mark(Context& context, const UploadId& id);

// Marks that mean nothing are removed when they are a day old: younger ones may be of a creation.
Result<std::vector<UploadId>> list_join_marks(Context& context, std::span<std::byte> scratch);

}  // namespace tus::file_store
