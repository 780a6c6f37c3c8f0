// What a test sees of a bucket, and does to it, without a request.
#include "stores/s3/client/memory_bucket_test_kit.h"

#include <functional>
#include <iterator>

namespace tus::s3::test {

void MemoryBucket::set_quirks(Quirks quirks) {
  std::lock_guard lock(mutex_);
  options_.quirks = quirks;
}

std::optional<std::string> MemoryBucket::peek(std::string_view key) const {
  std::lock_guard lock(mutex_);
  for (const auto& [name, object] : objects_) {
    if (name.second == key) return *object.bytes;
  }
  return std::nullopt;
}

std::optional<ObjectHeaders> MemoryBucket::peek_headers(std::string_view key) const {
  std::lock_guard lock(mutex_);
  for (const auto& [name, object] : objects_) {
    if (name.second == key) return object.headers;
  }
  return std::nullopt;
}

std::vector<std::string> MemoryBucket::keys() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  for (const auto& [name, object] : objects_) keys.push_back(name.second);
  return keys;
}

std::vector<MultipartName> MemoryBucket::multiparts() const {
  std::lock_guard lock(mutex_);
  std::vector<MultipartName> uploads;
  for (const auto& [name, multipart] : multiparts_) {
    uploads.push_back({{name.first.first, name.first.second}, multipart.id});
  }
  return uploads;
}

std::vector<PartLook> MemoryBucket::parts(std::string_view key) const {
  std::lock_guard lock(mutex_);
  std::vector<PartLook> looks;
  for (const auto& [name, multipart] : multiparts_) {
    if (name.first.second != key) continue;
    for (const auto& [number, part] : multipart.parts) {
      looks.push_back({number, part.bytes.size(), part.etag, part.modified});
    }
  }
  return looks;
}

std::string MemoryBucket::part_bytes(std::string_view key) const {
  std::lock_guard lock(mutex_);
  std::string bytes;
  for (const auto& [name, multipart] : multiparts_) {
    if (name.first.second != key) continue;
    for (const auto& [number, part] : multipart.parts) bytes += part.bytes;
  }
  return bytes;
}

std::uint64_t MemoryBucket::bytes() const {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [name, object] : objects_) sum += object.bytes->size();
  for (const auto& [name, multipart] : multiparts_) {
    for (const auto& [number, part] : multipart.parts) sum += part.bytes.size();
  }
  return sum;
}

void MemoryBucket::put_behind_the_back(const ObjectName& name, std::string bytes,
                                       ObjectHeaders headers) {
  auto etag = etag_of(bytes);
  std::lock_guard lock(mutex_);
  objects_[Name(name.bucket, name.key)] = {std::make_shared<std::string>(std::move(bytes)),
                                           std::move(headers), std::move(etag), now()};
}

void MemoryBucket::delete_behind_the_back(std::string_view key) {
  std::lock_guard lock(mutex_);
  std::erase_if(objects_, [&](const auto& entry) { return entry.first.second == key; });
}

void MemoryBucket::abort_behind_the_back(std::string_view key) {
  std::lock_guard lock(mutex_);
  std::erase_if(multiparts_, [&](const auto& entry) { return entry.first.first.second == key; });
}

}  // namespace tus::s3::test
