// What S3 can be asked, by the names that its log and ours have for it. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace tus::s3 {

enum class Operation : std::uint8_t {
  head_bucket,
  head_object,
  get_object,
  put_object,
  delete_object,
  create_multipart_upload,
  upload_part,
  upload_part_copy,
  list_parts,
  complete_multipart_upload,
  abort_multipart_upload,
  list_objects,
  list_multipart_uploads,
};
inline constexpr auto last_operation = Operation::list_multipart_uploads;

// "UploadPart"
std::string_view name_of(Operation operation) noexcept;

// The label `operation` of tusd's metrics, which has names of its own for what is done to "<id>.info" and
// "<id>.part" ("get_info_object"); ours where it has none.
std::string_view label_of(Operation operation, std::string_view key) noexcept;

}  // namespace tus::s3
