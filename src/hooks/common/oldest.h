// The oldest of many records.
#pragma once

#include "hooks/common/outbox.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace tus::hooks {

// The first `most` of them by name; a heap keeps the others out of memory.
class Oldest {
 public:
  explicit Oldest(std::size_t most) : most_(most) {}

  bool wants(std::string_view name) const noexcept {
    return heap_.size() < most_ || (most_ > 0 && name < heap_.front().name);
  }
  void see(OutboxEntry entry) {
    if (!wants(entry.name)) return;
    if (heap_.size() == most_) {
      std::ranges::pop_heap(heap_, {}, &OutboxEntry::name);
      heap_.pop_back();
    }
    heap_.push_back(std::move(entry));
    std::ranges::push_heap(heap_, {}, &OutboxEntry::name);
  }
  // Sorted by name.
  std::vector<OutboxEntry> take() {
    std::ranges::sort(heap_, {}, &OutboxEntry::name);
    return std::move(heap_);
  }

 private:
  const std::size_t most_;
  std::vector<OutboxEntry> heap_;
};

}  // namespace tus::hooks
