#include "net/loop_runners.h"

#include <tus/runtime.h>

TUS_NAMESPACE_BEGIN

class EventLoops::Impl {
 public:
  explicit Impl(unsigned count) : runners(count) {}
  net::LoopRunners runners;
};

EventLoops::EventLoops(unsigned count) : impl_(std::make_unique<Impl>(count)) {}
EventLoops::~EventLoops() = default;

std::vector<asio::any_io_executor> EventLoops::executors() const {
  return impl_->runners.executors();
}

LoopFigures EventLoops::figures() const { return impl_->runners.figures(); }

void EventLoops::stop() noexcept { impl_->runners.stop(); }

TUS_NAMESPACE_END
