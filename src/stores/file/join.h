// Filling the data file of a final upload with the bytes of its parts.
#pragma once

#include "stores/file/context.h"

#include <tus/store.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tus::file_store {

// Used by one thread of the pool at a time, one job after the other. After a failure it is thrown away: a
// new one finds out from the data file how far the bytes are.
class JoinWork {
 public:
  // `file` is the record of the final upload; its boot id is this machine's.
  JoinWork(Context& context, const InfoFile& file);

  // One job: up to 64 MiB or 100 ms. `wholly` when all bytes are in the data file, and safe.
  Result<Joined> work(const Lease& lease, std::span<std::byte> scratch);

 private:
  bool time_is_up() const { return context_.clock->now() >= stop_ || done_ >= most_; }
  Status measure_part(std::span<std::byte> scratch);
  Status find_start();
  Status open_part(std::span<std::byte> scratch);
  Result<std::uint64_t> copy(std::uint64_t most, std::span<std::byte> scratch);
  Status copy_some(std::span<std::byte> scratch);
  Status write_back();
  Result<Joined> make_safe();

  Context& context_;
  const InfoFile file_;
  std::vector<std::uint64_t> sizes_;  // of the parts
  std::uint64_t sum_ = 0;
  Fd data_;
  Fd source_;
  bool by_hand_ = false;     // the kernel cannot copy from this source
  std::size_t part_ = 0;     // the next byte comes from here,
  std::uint64_t at_ = 0;     // at this place in it,
  std::uint64_t where_ = 0;  // and goes here
  std::uint64_t written_back_ = 0;
  std::uint64_t done_ = 0;  // in this job
  std::uint64_t most_ = 0;
  std::chrono::steady_clock::time_point stop_;
};

}  // namespace tus::file_store
