#include "core/expiry.h"

#include "protocol/expiry.h"

#include <functional>

namespace tus::core {

namespace {

constexpr std::size_t most_departed = 65'536;

// A file system's clock may be a tick behind ours, and seconds are whole: nobody is refused before the end that he
// was told.
constexpr std::chrono::seconds grace{1};

}  // namespace

bool has_expired(const HandlerOptions& options, const HandlerParts& parts,
                 const UploadInfo& upload) {
  const auto end = protocol::expiry_of(upload, options.expire_after);
  return end && parts.clock->wall() >= *end + grace;
}

std::chrono::sys_seconds idle_since(const HandlerOptions& options, const HandlerParts& parts) {
  return std::chrono::floor<std::chrono::seconds>(parts.clock->wall()) - options.expire_after;
}

void Departed::add(std::string_view id) {
  const auto hash = std::hash<std::string_view>{}(id);
  const std::lock_guard lock(mutex_);
  if (!known_.insert(hash).second) return;
  in_order_.push_back(hash);
  if (in_order_.size() <= most_departed) return;
  known_.erase(in_order_.front());
  in_order_.pop_front();
}

bool Departed::contains(std::string_view id) const {
  const auto hash = std::hash<std::string_view>{}(id);
  const std::lock_guard lock(mutex_);
  return known_.contains(hash);
}

}  // namespace tus::core
