// Where work that may block (files, fsync) runs, so that no event loop ever waits for a disk.
#pragma once

#include <tus/export.h>

#include <cstddef>
#include <functional>
#include <span>

TUS_NAMESPACE_BEGIN

class TUS_EXPORT BlockingPool {
 public:
  // `scratch` is a buffer (at least 64 KiB) that belongs to the worker while the job runs.
  using Job = std::move_only_function<void(std::span<std::byte> scratch)>;

  virtual ~BlockingPool() = default;

  // Any thread. The job runs on a worker, once, and must not throw. One job is one store call, not one
  // system call. Jobs wait in line when all workers are busy; every connection has at most one job in
  // the line, so its length is bounded by the number of connections.
  virtual void submit(Job job) = 0;

  // Whether a worker should give its place away rather than wait for a socket. Any thread.
  virtual bool is_crowded() const noexcept = 0;
};

TUS_NAMESPACE_END
