// Pipes for splice: the kernel moves bytes from a socket to a file only through one.
#pragma once

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace tus::net {

// Both ends of a pipe; closes them.
class Pipe {
 public:
  Pipe() = default;
  Pipe(int read_end, int write_end, std::size_t capacity) noexcept
      : read_end_(read_end), write_end_(write_end), capacity_(capacity) {}
  Pipe(Pipe&& other) noexcept { swap(other); }
  Pipe& operator=(Pipe&& other) noexcept {
    Pipe(std::move(other)).swap(*this);
    return *this;
  }
  ~Pipe();

  bool valid() const noexcept { return read_end_ >= 0; }
  int read_end() const noexcept { return read_end_; }
  int write_end() const noexcept { return write_end_; }
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  void swap(Pipe& other) noexcept {
    std::swap(read_end_, other.read_end_);
    std::swap(write_end_, other.write_end_);
    std::swap(capacity_, other.capacity_);
  }

  int read_end_ = -1;
  int write_end_ = -1;
  std::size_t capacity_ = 0;
};

// Making a large pipe costs more than using it, so they are kept. Any thread.
class PipePool {
 public:
  // At most `keep` pipes wait for their next use; what is in use is bounded by the pool's threads.
  explicit PipePool(std::size_t keep) : keep_(keep) {}

  // An empty pipe, as large as the kernel allows; invalid when there are no descriptors left.
  Pipe take();
  // Only an empty pipe may come back: bytes left in it would end up in another upload. One that is not
  // known to be empty is simply dropped.
  void give_back(Pipe pipe) noexcept;

 private:
  std::mutex mutex_;
  std::vector<Pipe> free_;
  std::size_t keep_;
};

}  // namespace tus::net
