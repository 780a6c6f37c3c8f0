// Walks over the directory of the store.
#pragma once

#include <tus/error.h>
#include <tus/store.h>

#include <cstddef>
#include <string>

namespace tus::file_store {

// Up to `most` ids behind `cursor`, in the order of their bytes. Blocks, and reads all names of the
// directory for each page; what it keeps in memory is one page. (Positions in a directory are no
// cursor: several file systems forget them when it is opened anew.)
Result<ListPage> list_ids(int root, const std::string& cursor, std::size_t most);

// Sizes of all files but records and our side files, and the number of records. Blocks.
Result<StoreUsage> measure(int root);

}  // namespace tus::file_store
