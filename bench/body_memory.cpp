#include "bench/body_memory.h"

#include <algorithm>
#include <cerrno>
#include <random>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace bench {
namespace {

// The body repeats after this. A server must not profit from it: large against any CPU cache.
constexpr std::uint64_t period = 64ull << 20;

}  // namespace

BodyMemory::BodyMemory() : fd_(memfd_create("body", MFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> block(8192);
  const auto bytes = block.size() * sizeof(block[0]);
  for (std::uint64_t at = 0; at < period; at += bytes) {
    std::ranges::generate(block, random);
    if (pwrite(fd_, block.data(), bytes, static_cast<off_t>(at)) != static_cast<ssize_t>(bytes)) {
      throw std::system_error(errno, std::generic_category(), "write to the memfd");
    }
  }
}

BodyMemory::~BodyMemory() { close(fd_); }

std::uint64_t BodyMemory::send_to(int socket, std::uint64_t at, std::uint64_t size) const {
  auto offset = static_cast<off_t>(at % period);
  const auto part = std::min(size, period - at % period);
  const auto sent = sendfile(socket, fd_, &offset, part);
  return sent > 0 ? static_cast<std::uint64_t>(sent) : 0;
}

}  // namespace bench
