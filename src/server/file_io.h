// Writing received bytes at a place in a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tus::server {

// Both return how many bytes the file has taken; `file_error` is the errno that ended it early.
std::uint64_t write_all(int fd, std::uint64_t at, std::span<const std::byte> bytes,
                        int& file_error) noexcept;

// Moves `count` bytes out of a pipe. `scratch` is used where the file cannot be spliced to.
std::uint64_t drain_pipe(int pipe_end, std::size_t count, int fd, std::uint64_t at,
                         std::span<std::byte> scratch, int& file_error) noexcept;

}  // namespace tus::server
