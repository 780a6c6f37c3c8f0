// Which objects an upload is made of. Pure.
#pragma once

#include "stores/s3/client/bucket.h"
#include "stores/s3/options.h"

#include <tus/upload_id.h>

#include <optional>
#include <string>
#include <string_view>

namespace tus::s3 {

// An upload's id is `<object>+<multipart upload>`, as Go's tusd makes it, or the object alone.
struct IdParts {
  std::string object;
  std::string multipart;  // empty: its record says it
};

// Split at the last '+'.
IdParts split_id(const UploadId& id);
// Nothing when both together are no id; then the object alone is one.
std::optional<UploadId> join_id(const std::string& object, const std::string& multipart);

class Names {
 public:
  explicit Names(const StoreOptions& options);

  const std::string& bucket() const noexcept { return bucket_; }
  // Beginning of all keys that are not data.
  const std::string& metadata_prefix() const noexcept { return metadata_; }
  const std::string& data_prefix() const noexcept { return data_; }

  ObjectName data(std::string_view object) const;  // unless the record says something else
  ObjectName info(std::string_view object) const;
  ObjectName rest(std::string_view object) const;
  // What is ours alone lies under one prefix, which no upload's id can begin with.
  ObjectName staged(std::string_view object) const;
  ObjectName join_mark(std::string_view id) const;
  std::string join_marks() const;  // prefix
  ObjectName outbox() const;       // prefix, of hooks

  // The object part of an id, from the key of a record. Nothing for keys that are something else.
  std::optional<std::string> object_of_info(std::string_view key) const;
  std::optional<std::string> object_of_rest(std::string_view key) const;

 private:
  std::optional<std::string> object_of(std::string_view key, std::string_view suffix) const;

  std::string bucket_;
  std::string data_;
  std::string metadata_;
};

}  // namespace tus::s3
