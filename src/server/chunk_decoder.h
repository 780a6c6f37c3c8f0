// The framing of chunked bodies (RFC 9112 section 7.1), read byte by byte from whatever has arrived.
#pragma once

#include <tus/message.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tus::server {

// Pure. It never touches payload: while it says `data`, the caller takes up to data_left() bytes its own
// way (copied, or spliced past it) and says so with took().
class ChunkDecoder {
 public:
  enum class State : std::uint8_t {
    framing,    // needs more bytes of sizes, line ends or trailers
    data,       // payload comes next
    done,       // the body is over; what follows belongs to the next request
    malformed,  // for good
  };

  struct Limits {
    std::size_t trailer_bytes = 8 * 1024;
    std::size_t trailer_fields = 32;
  };

  ChunkDecoder() = default;
  explicit ChunkDecoder(Limits limits) : limits_(limits) {}

  State state() const noexcept;
  std::uint64_t data_taken() const noexcept { return all_data_; }
  std::uint64_t data_left() const noexcept { return step_ == Step::data ? left_ : 0; }

  // Uses framing until payload, the end of the body or the end of `in` comes; returns how many bytes it
  // used.
  std::size_t read_framing(std::span<const std::byte> in);
  // n <= data_left()
  void took(std::uint64_t n) noexcept;

  // Once done. Fields that would change what the head said (framing, routing, authentication) are left
  // out: nobody has checked them when they come.
  const Fields& trailers() const noexcept { return trailers_; }

 private:
  enum class Step : std::uint8_t {
    size,
    blank,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer,
    trailer_lf,
    last_lf,
    done,
    malformed,
  };

  Step next(char c);
  Step size_digit(char c) noexcept;
  Step after_size(char c) noexcept;
  Step trailer_char(char c);
  Step end_trailer();

  Limits limits_;
  Step step_ = Step::size;
  std::uint8_t digits_ = 0;
  std::uint64_t left_ = 0;          // of this chunk
  std::size_t line_extension_ = 0;  // bytes of extensions in this chunk's size line
  std::uint64_t all_extensions_ = 0;
  std::uint64_t all_data_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_lines_ = 0;
  std::string line_;  // the trailer line that is arriving
  Fields trailers_;
};

}  // namespace tus::server
