#include "net/loop_runners.h"

#include <tus/runtime.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

TUS_NAMESPACE_BEGIN

namespace {

constexpr std::size_t scratch_bytes = 256 * 1024;

// What pool and workers share. Workers keep it alive, because the last owner of the pool may be a job
// that runs on one of them.
class PoolState {
 public:
  void submit(BlockingPool::Job job) {
    std::unique_lock lock(mutex_);
    if (idle_.empty()) {
      line_.push_back(std::move(job));
      waiting_.store(line_.size(), std::memory_order_relaxed);
      return;
    }
    // The worker that went idle last has the warmest caches.
    Worker* worker = idle_.back();
    idle_.pop_back();
    worker->job = std::move(job);
    lock.unlock();
    worker->wake.notify_one();
  }

  void work(std::span<std::byte> scratch) {
    Worker self;
    while (auto job = next(self)) job(scratch);
  }

  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (Worker* worker : idle_) worker->wake.notify_one();
    idle_.clear();
  }

  bool is_crowded() const noexcept { return waiting_.load(std::memory_order_relaxed) > 0; }

  // Of so many threads.
  PoolFigures figures(std::size_t threads) const {
    std::lock_guard lock(mutex_);
    const auto busy = threads - std::min(idle_.size(), threads);
    return {static_cast<unsigned>(threads), static_cast<unsigned>(busy), line_.size()};
  }

 private:
  struct Worker {
    std::condition_variable wake;
    BlockingPool::Job job;
  };

  // Empty when the pool is closed and the line is done.
  BlockingPool::Job next(Worker& self) {
    std::unique_lock lock(mutex_);
    if (line_.empty() && !closed_) {
      idle_.push_back(&self);
      self.wake.wait(lock, [&] { return self.job || closed_; });
    }
    if (self.job) return std::exchange(self.job, nullptr);
    if (line_.empty()) return nullptr;
    BlockingPool::Job job = std::move(line_.front());
    line_.pop_front();
    waiting_.store(line_.size(), std::memory_order_relaxed);
    return job;
  }

  mutable std::mutex mutex_;
  std::vector<Worker*> idle_;  // those that wait, the most recent last
  std::deque<BlockingPool::Job> line_;
  std::atomic<std::size_t> waiting_ = 0;  // line_.size(), for readers without the mutex
  bool closed_ = false;
};

class Pool final : public BlockingPool {
 public:
  explicit Pool(unsigned threads) {
    try {
      for (unsigned i = 0; i < std::max(threads, 1u); ++i) start_worker();
    } catch (...) {
      end();
      throw;
    }
  }

  ~Pool() override { end(); }

  void submit(Job job) override {
    if (!net::LoopRunners::take(job)) state_->submit(std::move(job));
  }
  void submit_slow(Job job) override { state_->submit(std::move(job)); }
  bool is_crowded() const noexcept override {
    return net::LoopRunners::in_job() || state_->is_crowded();
  }
  PoolFigures figures() const override { return state_->figures(threads_.size()); }

 private:
  void start_worker() {
    // Not touched, and so not resident, before the first job that uses it.
    auto scratch = std::make_unique_for_overwrite<std::byte[]>(scratch_bytes);
    threads_.emplace_back([state = state_, scratch = std::move(scratch)] {
      state->work({scratch.get(), scratch_bytes});
    });
  }

  void end() noexcept {
    state_->close();
    for (auto& thread : threads_) {
      if (thread.get_id() == std::this_thread::get_id()) {
        thread.detach();  // it ends by itself as soon as the job that holds us returns
      } else {
        thread.join();
      }
    }
  }

  std::shared_ptr<PoolState> state_ = std::make_shared<PoolState>();
  std::vector<std::thread> threads_;
};

}  // namespace

std::shared_ptr<BlockingPool> make_blocking_pool(unsigned threads) {
  return std::make_shared<Pool>(threads);
}

TUS_NAMESPACE_END
