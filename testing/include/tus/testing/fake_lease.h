// Leases and their holders as a test wants them.
#pragma once

#include <tus/locker.h>

#include <atomic>
#include <cstdint>

TUS_NAMESPACE_BEGIN

namespace testing {

class FakeLease final : public Lease {
 public:
  explicit FakeLease(std::uint64_t token = 1) : token_(token) {}

  std::uint64_t token() const noexcept override { return token_; }
  bool lost() const noexcept override {
    if (looks_left_ > 0 && --looks_left_ == 0) lost_ = true;
    return lost_;
  }

  void lose() noexcept { lost_ = true; }
  // The n-th look at it, from now on, finds it lost.
  void lose_at_look(int n) noexcept { looks_left_ = n; }

 private:
  std::uint64_t token_;
  mutable std::atomic<bool> lost_{false};
  mutable std::atomic<int> looks_left_{0};
};

class FakeHolder final : public LeaseHolder {
 public:
  explicit FakeHolder(Answer answer = Answer::releasing,
                      Deadline::Point since = Deadline::Point::min())
      : answer_(answer), since_(since) {}

  Answer release_requested() noexcept override {
    ++requests_;
    return answer_;
  }
  void lease_lost() noexcept override { lost_ = true; }
  Deadline::Point since() const noexcept override { return since_; }

  void become(Answer answer) noexcept { answer_ = answer; }
  int requests() const noexcept { return requests_; }
  bool lost() const noexcept { return lost_; }

 private:
  std::atomic<Answer> answer_;
  const Deadline::Point since_;
  std::atomic<int> requests_{0};
  std::atomic<bool> lost_{false};
};

}  // namespace testing

TUS_NAMESPACE_END
