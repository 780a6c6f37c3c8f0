// A number of places that are taken and given back; who finds none waits in line.
#pragma once

#include "async/event.h"

#include <tus/async.h>
#include <tus/deadline.h>

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

namespace tus::hooks {

class Slots : public std::enable_shared_from_this<Slots> {
 public:
  // Gives its place back at its end. Any thread.
  class [[nodiscard]] Slot {
   public:
    Slot() = default;
    explicit Slot(std::shared_ptr<Slots> slots) noexcept : slots_(std::move(slots)) {}
    ~Slot() {
      if (slots_) slots_->give_back();
    }
    Slot(Slot&&) noexcept = default;
    Slot& operator=(Slot&&) = delete;

   private:
    std::shared_ptr<Slots> slots_;
  };

  explicit Slots(unsigned count) : free_(count) {}

  // Nothing when the deadline passed first, or the slots are closed. On a serial executor.
  Awaitable<std::optional<Slot>> take(Deadline deadline);
  // Nobody gets a slot any more, those who wait neither. Any thread.
  void close() noexcept;

 private:
  struct Waiter {
    Event called;
    bool has_slot = false;  // under the mutex
  };

  void give_back() noexcept;

  std::mutex mutex_;
  unsigned free_;
  bool closed_ = false;
  std::deque<std::shared_ptr<Waiter>> line_;
};

}  // namespace tus::hooks
