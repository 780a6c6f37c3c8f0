// The memory that bytes of uploads wait in: one account for the whole store.
#pragma once

#include "async/event.h"

#include <tus/async.h>
#include <tus/deadline.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

namespace tus::s3 {

class Budget;

// So many bytes of it that nobody else may use.
class Room {
 public:
  Room() = default;
  ~Room() { release(); }
  Room(Room&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Room& operator=(Room&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  std::uint64_t bytes() const noexcept { return bytes_; }
  // Takes so many bytes, at most all, out of it.
  Room split(std::uint64_t bytes) noexcept;
  void add(Room other) noexcept;
  void release() noexcept;

 private:
  friend class Budget;
  Room(Budget* budget, std::uint64_t bytes) noexcept : budget_(budget), bytes_(bytes) {}

  Budget* budget_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// Any thread. Outlives its rooms and holders. Whoever waits gets it in the order of coming; while somebody
// waits, those who can are asked for what they hold: first what is only remembered, then the work that has
// held longest. So nobody waits for a client.
class Budget {
 public:
  explicit Budget(std::uint64_t limit) : limit_(limit) {}

  // Forgets something and releases its room, now; false when there is nothing more. Before anything else.
  void forget_with(std::function<bool()> forget_one) { forget_one_ = std::move(forget_one); }

  std::uint64_t limit() const noexcept { return limit_; }
  std::uint64_t used() const noexcept;
  std::size_t waiting() const noexcept;  // how many

  // More than there is at all counts as all of it. Of no bytes: there is none now.
  Room try_reserve(std::uint64_t bytes);
  // Of no bytes when the deadline passes first. Waits on a serial executor.
  Awaitable<Room> reserve(std::uint64_t bytes, Deadline deadline);

  // Work that holds bytes and can put them elsewhere.
  class Holder {
   public:
    // `asked` is called on any thread, must not block, and lets the work release its room soon.
    Holder(Budget& budget, std::function<void()> asked)
        : budget_(budget), asked_(std::move(asked)) {}
    ~Holder() { end(); }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;

    // From here on it may be asked, once. Again: it holds still, or something else now.
    void begin();
    void end() noexcept;

   private:
    friend class Budget;
    Budget& budget_;
    std::function<void()> asked_;
    bool in_line_ = false;
    std::list<Holder*>::iterator place_;
  };

 private:
  friend class Room;
  struct Waiter {
    explicit Waiter(std::uint64_t wanted) : bytes(wanted) {}
    const std::uint64_t bytes;
    bool served = false;
    Event event;
  };

  bool fits_locked(std::uint64_t bytes) const noexcept { return bytes <= limit_ - used_; }
  void give_back(std::uint64_t bytes) noexcept;
  void serve_locked() noexcept;
  bool is_short() const noexcept;
  void ask() noexcept;
  bool ask_a_holder() noexcept;

  const std::uint64_t limit_;
  std::function<bool()> forget_one_;
  std::atomic<bool> asking_ = false;
  mutable std::mutex mutex_;
  std::uint64_t used_ = 0;
  std::list<std::shared_ptr<Waiter>> waiters_;  // the first came first
  std::mutex holders_mutex_;                    // never inside of mutex_
  std::list<Holder*> holders_;                  // the first holds longest
};

}  // namespace tus::s3
