#include "stores/s3/client/operation.h"

#include <array>
#include <cstddef>

namespace tus::s3 {

namespace {

struct Row {
  std::string_view name;
  std::string_view label;
  std::string_view of_info;
  std::string_view of_part;
};

// In the order of Operation. Go's tusd never looks at an info object without reading it, deletes several
// objects with one call, and has no label for that; these are ours.
constexpr auto rows = std::to_array<Row>({
    {"HeadBucket", "head_bucket", "", ""},
    {"HeadObject", "head_object", "head_info_object", "head_part_object"},
    {"GetObject", "get_object", "get_info_object", "get_part_object"},
    {"PutObject", "put_object", "put_info_object", "put_part_object"},
    {"DeleteObject", "delete_object", "delete_info_object", "delete_part_object"},
    {"CreateMultipartUpload", "create_multipart_upload", "", ""},
    {"UploadPart", "upload_part", "", ""},
    {"UploadPartCopy", "upload_part_copy", "", ""},
    {"ListParts", "list_parts", "", ""},
    {"CompleteMultipartUpload", "complete_multipart_upload", "", ""},
    {"AbortMultipartUpload", "abort_multipart_upload", "", ""},
    {"ListObjectsV2", "list_objects", "", ""},
    {"ListMultipartUploads", "list_multipart_uploads", "", ""},
});
static_assert(rows.size() == static_cast<std::size_t>(last_operation) + 1);

const Row& row_of(Operation operation) noexcept {
  return rows[static_cast<std::size_t>(operation)];
}

}  // namespace

std::string_view name_of(Operation operation) noexcept { return row_of(operation).name; }

std::string_view label_of(Operation operation, std::string_view key) noexcept {
  const auto& row = row_of(operation);
  if (!row.of_info.empty() && key.ends_with(".info")) return row.of_info;
  if (!row.of_part.empty() && key.ends_with(".part")) return row.of_part;
  return row.label;
}

}  // namespace tus::s3
