#include <tus/runtime.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <thread>

TUS_NAMESPACE_BEGIN

namespace {

class Loop : public asio::io_context {
 public:
  // One thread runs it: Asio then spares itself the wake-ups meant for sharing work between threads.
  Loop() : asio::io_context(1) {}

  // What waits on one loop may own sockets and timers of another, so all loops drop their handlers
  // before the first one is destroyed.
  void drop_handlers() noexcept { shutdown(); }
};

}  // namespace

class EventLoops::Impl {
 public:
  explicit Impl(unsigned count) {
    for (unsigned i = 0; i < std::max(count, 1u); ++i) loops_.push_back(std::make_unique<Loop>());
    for (auto& loop : loops_) guards_.push_back(asio::make_work_guard(*loop));
    for (auto& loop : loops_) threads_.emplace_back([raw = loop.get()] { raw->run(); });
  }

  ~Impl() {
    stop();
    for (auto& loop : loops_) loop->drop_handlers();
  }

  void stop() noexcept {
    guards_.clear();
    for (auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

  std::vector<asio::any_io_executor> executors() const {
    std::vector<asio::any_io_executor> out;
    for (const auto& loop : loops_) out.emplace_back(loop->get_executor());
    return out;
  }

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  std::vector<std::thread> threads_;
};

EventLoops::EventLoops(unsigned count) : impl_(std::make_unique<Impl>(count)) {}
EventLoops::~EventLoops() = default;

std::vector<asio::any_io_executor> EventLoops::executors() const { return impl_->executors(); }

void EventLoops::stop() noexcept { impl_->stop(); }

TUS_NAMESPACE_END
