// How a running request reacts when somebody else wants its upload.
#pragma once

#include <tus/body_source.h>
#include <tus/locker.h>

#include <mutex>

namespace tus::core {

// A request's side of its lease. While it receives a body, a newcomer ends that body; while it is in
// something that cannot be stopped, the newcomer is told so; in between it waits the moment it takes.
class LeaseKeeper final : public LeaseHolder {
 public:
  Answer release_requested() noexcept override;
  void lease_lost() noexcept override;

  // `body` may be interrupted from now on, until stop_receiving(). If somebody asked before, it is
  // interrupted at once.
  void start_receiving(BodySource& body) noexcept;
  void stop_receiving() noexcept;

  // In a hook or a finish: newcomers are turned away.
  void become_busy() noexcept;
  void become_idle() noexcept;

 private:
  std::mutex mutex_;
  BodySource* body_ = nullptr;
  bool wanted_ = false;
  bool busy_ = false;
};

// For an upload that nobody else can know of yet.
class FreshLease final : public Lease {
 public:
  std::uint64_t token() const noexcept override { return 0; }
  bool lost() const noexcept override { return false; }
};

}  // namespace tus::core
