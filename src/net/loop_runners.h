// The threads that run event loops, and the blocking jobs they do in between.
#pragma once

#include <tus/async.h>
#include <tus/blocking_pool.h>
#include <tus/runtime.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace net {

// Handing a job to another thread and its result back costs more than most of our jobs (a few file
// operations that the page cache answers). So a loop's own thread does a quick job itself, between two
// handlers; and when a job turns out to block, another thread takes the loop over within some
// milliseconds, while the first one finishes the job and then waits for a loop to take over. See
// docs/adr/0008.
//
// At any time one thread runs a loop's handlers, so code on a loop needs no locks. A job runs beside the
// handlers once its loop has been taken over, as it would in a pool.
class LoopRunners {
 public:
  explicit LoopRunners(unsigned loops);
  ~LoopRunners();
  LoopRunners(const LoopRunners&) = delete;
  LoopRunners& operator=(const LoopRunners&) = delete;

  std::vector<asio::any_io_executor> executors() const;
  LoopFigures figures() const;  // any thread
  // Not from a thread of ours. Jobs that run are waited for.
  void stop() noexcept;

  // Called by a pool, on any thread. True: the job runs on this thread as soon as the present handler
  // has returned. False, and the job untouched: this is no loop's thread, or its jobs have blocked
  // lately.
  static bool take(BlockingPool::Job& job);
  // Whether this thread is in a job that it took: then a loop waits for it.
  static bool in_job() noexcept;

 private:
  struct Loop;
  struct Runner;

  void run(Runner& self);
  void run_loop(Runner& self);
  bool run_handler(Loop& loop);
  bool do_jobs(Runner& self);
  void watch();
  bool anybody_in_job();
  void look_after(Loop& loop);
  bool hand_over(Loop& loop, Runner& runner);
  Runner* spare_runner() noexcept;
  Runner* new_runner();
  void note_job() noexcept;

  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable watcher_wake_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Runner>> runners_;
  std::vector<Runner*> parked_;

  std::atomic<bool> watching_ = false;
  std::atomic<std::uint64_t> failures_ = 0;
  std::thread watcher_;
};

}  // namespace net

TUS_NAMESPACE_END
