// Where the data of an upload is when it is not where its record says, or nothing is said.
#pragma once

#include "stores/file/file_io.h"
#include "stores/file/layout.h"

#include <tus/upload_info.h>

#include <cstdint>
#include <string>

namespace tus::file_store {

struct FoundData {
  Place place;
  FileLook look;
  std::string path;  // absolute; what a Storage.Path has to be so that everybody finds it
};

// Looks at where the recorded place is now if the directory was moved, copied or had a relative name; then at
// the recorded place; then beside the record, as Go's tusd names data files now and as it did before 1.0.
// Errors: upload_not_found, upload_damaged.
Result<FoundData> find_data(FileIo& io, Layout& layout, const UploadInfo& info);

}  // namespace tus::file_store
