#include "core/lease_keeper.h"

namespace tus::core {

LeaseHolder::Answer LeaseKeeper::release_requested() noexcept {
  std::lock_guard lock(mutex_);
  if (busy_) return Answer::busy;
  wanted_ = true;
  if (body_ != nullptr) body_->interrupt(BodyState::interrupted);
  return Answer::releasing;
}

void LeaseKeeper::lease_lost() noexcept {
  std::lock_guard lock(mutex_);
  wanted_ = true;
  if (body_ != nullptr) body_->interrupt(BodyState::interrupted);
}

void LeaseKeeper::start_receiving(BodySource& body) noexcept {
  std::lock_guard lock(mutex_);
  body_ = &body;
  if (wanted_) body.interrupt(BodyState::interrupted);
}

void LeaseKeeper::stop_receiving() noexcept {
  std::lock_guard lock(mutex_);
  body_ = nullptr;
}

void LeaseKeeper::become_busy() noexcept {
  std::lock_guard lock(mutex_);
  busy_ = true;
}

void LeaseKeeper::become_idle() noexcept {
  std::lock_guard lock(mutex_);
  busy_ = false;
}

}  // namespace tus::core
