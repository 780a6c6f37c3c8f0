// Where work that may block (files, fsync) runs, so that no event loop ever waits for a disk.
#pragma once

#include <tus/export.h>

#include <cstddef>
#include <functional>
#include <span>
#include <utility>

TUS_NAMESPACE_BEGIN

// A look at a pool, for whoever watches it.
struct PoolFigures {
  unsigned threads = 0;
  unsigned busy = 0;        // of them, in a job now
  std::size_t waiting = 0;  // jobs in line
};

class TUS_EXPORT BlockingPool {
 public:
  // `scratch` is a buffer (at least 64 KiB) that belongs to the worker while the job runs.
  using Job = std::move_only_function<void(std::span<std::byte> scratch)>;

  virtual ~BlockingPool() = default;

  // Any thread. The job runs once, never before this returns, and must not throw. On a thread of EventLoops
  // it may run right there, after the present handler: another thread takes the loop over if it blocks. One job is one store call, not one
  // system call. Jobs wait in line when all workers are busy; every connection has at most one job in
  // the line, so its length is bounded by the number of connections.
  virtual void submit(Job job) = 0;

  // For a job that is known to block for long (a sync): it never runs on a thread that others wait for.
  virtual void submit_slow(Job job) { submit(std::move(job)); }

  // Whether a worker should give its place away rather than wait for a socket. Any thread.
  virtual bool is_crowded() const noexcept = 0;

  // Any thread. A pool that does not know says zeros.
  virtual PoolFigures figures() const { return {}; }
};

TUS_NAMESPACE_END
