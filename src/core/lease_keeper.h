// How a running request reacts when somebody else wants its upload.
#pragma once

#include <tus/body_source.h>
#include <tus/locker.h>

#include <memory>
#include <mutex>
#include <utility>

namespace tus::core {

// A request's side of its lease. While it receives a body, a newcomer ends that body; while it is in
// something that cannot be stopped, the newcomer is told so; in between it waits the moment it takes.
class LeaseKeeper final : public LeaseHolder {
 public:
  // `since`: when its request came, however often it asks.
  explicit LeaseKeeper(Deadline::Point since) noexcept : since_(since) {}

  Answer release_requested() noexcept override;
  void lease_lost() noexcept override;
  Deadline::Point since() const noexcept override { return since_; }

  // In a hook or a finish: newcomers are turned away.
  void become_busy() noexcept;
  void become_idle() noexcept;

 private:
  friend class Receiving;
  void start_receiving(BodySource& body) noexcept;
  void stop_receiving() noexcept;

  const Deadline::Point since_;
  std::mutex mutex_;
  BodySource* body_ = nullptr;
  bool wanted_ = false;
  bool busy_ = false;
};

// While it lives, `body` may be interrupted; at once, if somebody asked for the upload before. A keeper may
// outlive its request, because a newcomer has it in hand for a moment: so it must forget the body in any
// case, also when a store throws.
class [[nodiscard]] Receiving {
 public:
  Receiving(std::shared_ptr<LeaseKeeper> keeper, BodySource& body) noexcept
      : keeper_(std::move(keeper)) {
    keeper_->start_receiving(body);
  }
  ~Receiving() { keeper_->stop_receiving(); }
  Receiving(const Receiving&) = delete;
  Receiving& operator=(const Receiving&) = delete;

 private:
  std::shared_ptr<LeaseKeeper> keeper_;
};

// For an upload that nobody else can know of yet.
class FreshLease final : public Lease {
 public:
  std::uint64_t token() const noexcept override { return 0; }
  bool lost() const noexcept override { return false; }
};

}  // namespace tus::core
