// The name of an upload, checked once at the edge and trusted everywhere behind it.
#pragma once

#include <tus/export.h>

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

TUS_NAMESPACE_BEGIN

// An id may become a file name, an object key and a part of a URL. So it consists of
// [A-Za-z0-9._~+=@,-] and inner '/', is at most 1,024 bytes long, each segment at most 200; no segment
// is empty or starts with '.', and none ends in .info, .lock, .stop or .part.
class TUS_EXPORT UploadId {
 public:
  // An empty id: no upload has it. Only for members that are filled in later.
  UploadId() = default;

  // `text` is already percent-decoded. Nothing when it breaks a rule above.
  static std::optional<UploadId> parse(std::string_view text);

  const std::string& str() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }
  friend auto operator<=>(const UploadId&, const UploadId&) = default;

 private:
  explicit UploadId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

TUS_NAMESPACE_END

template <>
struct std::hash<tus::UploadId> {
  std::size_t operator()(const tus::UploadId& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
