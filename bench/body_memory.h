// Bytes to send that cost the client next to nothing: pages of a memfd, sent by sendfile.
#pragma once

#include <cstdint>

namespace bench {

class BodyMemory {
 public:
  BodyMemory();
  ~BodyMemory();
  BodyMemory(const BodyMemory&) = delete;
  BodyMemory& operator=(const BodyMemory&) = delete;

  // One sendfile of at most `size` bytes of the endless body from position `at`. 0 on failure.
  std::uint64_t send_to(int socket, std::uint64_t at, std::uint64_t size) const;

 private:
  int fd_ = -1;
};

}  // namespace bench
