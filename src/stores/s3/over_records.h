// Records of uploads that are over: a sweep has read them once, and need not read them again.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace tus::s3 {

// Knows them by the name and the etag in a listing, so one that was written again is not known. Any thread.
class OverRecords {
 public:
  // Of more than `most` the rest is read in each sweep. 10 to 20 bytes each.
  explicit OverRecords(std::size_t most) : most_(most) {}

  void add(std::string_view object, std::string_view etag) {
    if (etag.empty()) return;
    const auto record = hash_of(object, etag);
    std::lock_guard lock(mutex_);
    if (known_.size() < most_) known_.insert(record);
  }
  bool contains(std::string_view object, std::string_view etag) const {
    std::lock_guard lock(mutex_);
    return known_.contains(hash_of(object, etag));
  }

 private:
  static std::uint64_t hash_of(std::string_view object, std::string_view etag) {
    std::string both(object);
    both += '\n';
    both += etag;
    return std::hash<std::string>{}(both);
  }

  const std::size_t most_;
  mutable std::mutex mutex_;
  boost::unordered_flat_set<std::uint64_t> known_;
};

}  // namespace tus::s3
