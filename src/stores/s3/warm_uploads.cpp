#include "stores/s3/warm_uploads.h"

#include <algorithm>
#include <utility>

namespace tus::s3 {

std::shared_ptr<Presence> WarmUploads::presence(const UploadId& id) {
  std::lock_guard lock(mutex_);
  if (presences_.size() >= sweep_at_) {
    std::erase_if(presences_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(64, 2 * presences_.size());
  }
  auto& known = presences_[id.str()];
  auto presence = known.lock();
  if (!presence) known = presence = std::make_shared<Presence>();
  return presence;
}

std::optional<Warm> WarmUploads::take(const UploadId& id) {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(id.str());
  if (it == entries_.end()) return std::nullopt;
  auto warm = std::move(it->second.warm);
  order_.erase(it->second.place);
  entries_.erase(it);
  return warm;
}

std::optional<Glance> WarmUploads::look(const UploadId& id) const {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(id.str());
  if (it == entries_.end()) return std::nullopt;
  const auto& state = it->second.warm.state;
  return Glance{state.file.info, state.object, state.etag};
}

void WarmUploads::put(Warm warm) {
  // Destroyed behind the lock: their room goes back to a budget that may ask for more.
  std::optional<Warm> replaced;
  std::optional<Warm> oldest;
  std::lock_guard lock(mutex_);
  const auto& id = warm.state.file.info.id.str();
  if (auto it = entries_.find(id); it != entries_.end()) {
    order_.erase(it->second.place);
    replaced = std::move(it->second.warm);
    entries_.erase(it);
  }
  if (entries_.size() >= most_ && !order_.empty()) {
    auto it = entries_.find(order_.front());
    oldest = std::move(it->second.warm);
    entries_.erase(it);
    order_.pop_front();
  }
  auto place = order_.insert(order_.end(), id);
  entries_.emplace(*place, Entry{std::move(warm), place});
}

void WarmUploads::forget(const UploadId& id) { (void)take(id); }

bool WarmUploads::forget_a_tail() {
  std::optional<ByteRun> tail;
  std::lock_guard lock(mutex_);
  for (const auto& id : order_) {
    auto& warm = entries_.at(id).warm;
    if (!warm.tail) continue;
    tail.swap(warm.tail);
    return true;
  }
  return false;
}

}  // namespace tus::s3
