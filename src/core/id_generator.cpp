#include "core/id_generator.h"

#include "async/random_id.h"

namespace tus::core {

UploadId random_upload_id() { return *UploadId::parse(random_id()); }

}  // namespace tus::core
