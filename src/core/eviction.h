// Which uploads go when there is no room for a new one.
#pragma once

#include "async/event.h"

#include <tus/handler.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace tus::core {

// What ends with an upload: its length, which was kept free for it.
inline std::uint64_t room_of(const UploadInfo& info) noexcept {
  return info.length.value_or(info.offset);
}

// Whether an upload may go as far as its own state tells.
bool may_be_evicted(const UploadInfo& info, const HandlerOptions& options) noexcept;

// Chooses as few uploads as make enough room, the first ones in the order. Of a million that are offered it
// keeps only those that may be among them.
class EvictionPlan {
 public:
  struct Victim {
    Victim(UploadId i, std::uint64_t r, std::uint64_t k) : id(std::move(i)), room(r), key(k) {}

    UploadId id;
    std::uint64_t room;
    std::uint64_t key;  // small: goes first
  };

  EvictionPlan(EvictOrder order, std::uint64_t missing) noexcept
      : order_(order), missing_(missing) {}

  // Whether it would be chosen as things are now: only then more has to be asked about it.
  bool wants(const UploadInfo& info) const noexcept;
  void add(const UploadInfo& info);

  bool is_enough() const noexcept { return room_ >= missing_; }
  // In order; nothing when all together would not be enough.
  std::vector<Victim> victims() &&;

 private:
  std::uint64_t key_of(const UploadInfo& info) const noexcept;

  const EvictOrder order_;
  const std::uint64_t missing_;
  std::uint64_t room_ = 0;
  std::vector<Victim> chosen_;  // a heap, the last in order on top
};

// Lets one coroutine at a time through.
class Turnstile {
 public:
  class Pass {
   public:
    Pass(Turnstile& turnstile, std::shared_ptr<Event> over) noexcept
        : turnstile_(&turnstile), over_(std::move(over)) {}
    Pass(Pass&& other) noexcept : turnstile_(other.turnstile_), over_(std::move(other.over_)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass();

   private:
    Turnstile* turnstile_;
    std::shared_ptr<Event> over_;
  };

  // Nothing when the deadline comes first.
  Awaitable<std::optional<Pass>> enter(Deadline deadline);

 private:
  std::shared_ptr<Event> try_enter(std::shared_ptr<Event>& mine);

  std::mutex mutex_;
  std::shared_ptr<Event> inside_;  // set when whoever is inside has left
};

}  // namespace tus::core
