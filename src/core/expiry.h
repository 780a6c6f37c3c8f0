// Which uploads have come to their end by themselves.
#pragma once

#include <tus/handler.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string_view>
#include <unordered_set>

namespace tus::core {

// Whether the end that a client was told of has passed: the upload is refused, and may go at any moment. Of a final
// upload that waits for its parts, last_activity has to be that of the newest of them. Any thread.
bool has_expired(const HandlerOptions& options, const HandlerParts& parts,
                 const UploadInfo& upload);

// What has no bytes since then may have expired.
std::chrono::sys_seconds idle_since(const HandlerOptions& options, const HandlerParts& parts);

// The uploads that were removed last, so that they can be told from those that never were. Any thread.
class Departed {
 public:
  void add(std::string_view id);
  bool contains(std::string_view id) const;

 private:
  // Hashes alone: 16 bytes and a node each, and an error of one in 2^48 costs a 410 for a 404.
  mutable std::mutex mutex_;
  std::unordered_set<std::size_t> known_;
  std::deque<std::size_t> in_order_;
};

}  // namespace tus::core
