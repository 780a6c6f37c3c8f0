// A pool whose jobs run at once, on the thread that submits them.
#pragma once

#include <tus/blocking_pool.h>

#include <array>
#include <cstddef>
#include <memory>

TUS_NAMESPACE_BEGIN

namespace testing {

class InlinePool final : public BlockingPool {
 public:
  void submit(Job job) override {
    // A buffer for each job: it ends where the job ends, so that ASan sees who keeps it.
    auto scratch = std::make_unique<std::array<std::byte, 64 << 10>>();
    job(*scratch);
  }
  bool is_crowded() const noexcept override { return false; }
};

}  // namespace testing

TUS_NAMESPACE_END
