// Bytes that were received and not used yet; holds no memory while there are none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace tus::server {

class InputBuffer {
 public:
  bool empty() const noexcept { return begin_ == bytes_.size(); }
  std::size_t size() const noexcept { return bytes_.size() - begin_; }
  // Memory held, used bytes included.
  std::size_t held() const noexcept { return bytes_.capacity(); }
  std::span<const std::byte> span() const noexcept { return std::span(bytes_).subspan(begin_); }
  std::string_view text() const noexcept {
    auto here = span();
    return {reinterpret_cast<const char*>(here.data()), here.size()};
  }

  void append(std::span<const std::byte> more) {
    // With steady pipelining the buffer may never run empty: used bytes must not pile up.
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
    bytes_.insert(bytes_.end(), more.begin(), more.end());
  }
  void consume(std::size_t n) noexcept {
    begin_ += n;
    if (empty()) release();
  }
  // Copies out and consumes as much as fits.
  std::size_t take(std::span<std::byte> into) noexcept {
    auto n = std::min(into.size(), size());
    if (n == 0) return 0;
    std::memcpy(into.data(), bytes_.data() + begin_, n);
    consume(n);
    return n;
  }
  void release() noexcept {
    bytes_ = std::vector<std::byte>();  // = {} would keep the memory
    begin_ = 0;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;
};

}  // namespace tus::server
