// Threads for programs that do not bring their own: event loops and a pool for blocking work.
#pragma once

#include <tus/async.h>
#include <tus/blocking_pool.h>

#include <cstdint>
#include <memory>
#include <vector>

TUS_NAMESPACE_BEGIN

// A look at the threads of event loops.
struct LoopFigures {
  unsigned loops = 0;
  unsigned threads = 0;  // that run a loop, or hang in a job, or wait for either
  unsigned blocked = 0;  // of them, in jobs that turned out to block
  // Handlers that were lost for want of memory, each with a connection or a task.
  std::uint64_t failures = 0;
};

// Each loop is run by one thread at a time: code that runs on one of the executors never runs beside other
// code of the same executor, so what belongs to a connection needs no lock. Which thread it is may
// change when a job of a BlockingPool, done on the loop's thread, turns out to block.
class TUS_EXPORT EventLoops {
 public:
  explicit EventLoops(unsigned count);  // count >= 1; the threads start here
  ~EventLoops();                        // stop()
  EventLoops(const EventLoops&) = delete;
  EventLoops& operator=(const EventLoops&) = delete;

  std::vector<asio::any_io_executor> executors() const;
  LoopFigures figures() const;  // any thread
  // Ends the threads and waits for them. What is still pending on the loops is destroyed. Not from a
  // thread of the loops.
  void stop() noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Ends when the last owner lets go; jobs that were submitted are run first.
TUS_EXPORT std::shared_ptr<BlockingPool> make_blocking_pool(unsigned threads);

TUS_NAMESPACE_END
