#include "server/chunk_decoder.h"

#include "server/http_syntax.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace tus::server {

namespace {

constexpr std::uint8_t max_digits = 16;
constexpr std::size_t max_line_extension = 1024;
// Extensions are ignored, but reading them costs as much as data: they may not outweigh it for long.
constexpr std::uint64_t free_extensions = 16 * 1024;

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 9110 section 6.5.1.
bool is_forbidden_trailer(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 21> names{"authorization",
                                                          "cache-control",
                                                          "connection",
                                                          "content-encoding",
                                                          "content-length",
                                                          "content-range",
                                                          "content-type",
                                                          "cookie",
                                                          "expect",
                                                          "forwarded",
                                                          "host",
                                                          "keep-alive",
                                                          "max-forwards",
                                                          "proxy-authorization",
                                                          "te",
                                                          "trailer",
                                                          "transfer-encoding",
                                                          "upgrade",
                                                          "x-forwarded-host",
                                                          "x-forwarded-prefix",
                                                          "x-forwarded-proto"};
  if (std::ranges::any_of(names, [&](std::string_view n) { return equals_lower(name, n); })) {
    return true;
  }
  // What a head decides is decided when a trailer comes.
  const auto begins = [name](std::string_view with) {
    return equals_lower(name.substr(0, with.size()), with);
  };
  return begins("tus-") || begins("x-http-method") ||
         (begins("upload-") && !equals_lower(name, "upload-checksum"));
}

}  // namespace

ChunkDecoder::State ChunkDecoder::state() const noexcept {
  switch (step_) {
    case Step::data:
      return State::data;
    case Step::done:
      return State::done;
    case Step::malformed:
      return State::malformed;
    default:
      return State::framing;
  }
}

std::size_t ChunkDecoder::read_framing(std::span<const std::byte> in) {
  std::size_t used = 0;
  while (used < in.size() && state() == State::framing) {
    step_ = next(static_cast<char>(in[used]));
    ++used;
  }
  return used;
}

void ChunkDecoder::took(std::uint64_t n) noexcept {
  assert(n <= data_left());
  left_ -= n;
  all_data_ += n;
  if (left_ == 0) step_ = Step::data_cr;
}

ChunkDecoder::Step ChunkDecoder::next(char c) {
  switch (step_) {
    case Step::size:
      return size_digit(c);
    case Step::blank:
      if (c == ' ' || c == '\t') return ++line_extension_ < 16 ? Step::blank : Step::malformed;
      return c == ';' ? Step::extension : Step::malformed;
    case Step::extension:
      if (c == '\r') return Step::size_lf;
      ++all_extensions_;
      if (++line_extension_ > max_line_extension) return Step::malformed;
      if (all_extensions_ > free_extensions + all_data_) return Step::malformed;
      return is_field_value({&c, 1}) ? Step::extension : Step::malformed;
    case Step::size_lf:
      return after_size(c);
    case Step::data_cr:
      return c == '\r' ? Step::data_lf : Step::malformed;
    case Step::data_lf:
      return c == '\n' ? Step::size : Step::malformed;
    case Step::trailer_start:
      if (c == '\r') return Step::last_lf;
      return trailer_char(c);
    case Step::trailer:
      return trailer_char(c);
    case Step::trailer_lf:
      return c == '\n' ? end_trailer() : Step::malformed;
    case Step::last_lf:
      return c == '\n' ? Step::done : Step::malformed;
    case Step::data:
    case Step::done:
    case Step::malformed:
      break;
  }
  return step_;
}

ChunkDecoder::Step ChunkDecoder::size_digit(char c) noexcept {
  if (int value = hex_value(c); value >= 0) {
    if (++digits_ > max_digits) return Step::malformed;
    left_ = left_ << 4 | static_cast<std::uint64_t>(value);
    return Step::size;
  }
  if (digits_ == 0) return Step::malformed;
  line_extension_ = 0;
  if (c == '\r') return Step::size_lf;
  if (c == ';') return Step::extension;
  return c == ' ' || c == '\t' ? Step::blank : Step::malformed;
}

ChunkDecoder::Step ChunkDecoder::after_size(char c) noexcept {
  if (c != '\n' || left_ > INT64_MAX) return Step::malformed;
  digits_ = 0;
  return left_ == 0 ? Step::trailer_start : Step::data;
}

ChunkDecoder::Step ChunkDecoder::trailer_char(char c) {
  if (c == '\r') return Step::trailer_lf;
  if (c == '\n' || ++trailer_bytes_ > limits_.trailer_bytes) return Step::malformed;
  line_ += c;
  return Step::trailer;
}

ChunkDecoder::Step ChunkDecoder::end_trailer() {
  auto field = split_field_line(line_);
  if (!field || ++trailer_lines_ > limits_.trailer_fields) return Step::malformed;
  if (!is_forbidden_trailer(field->name)) {
    trailers_.add(std::string(field->name), std::string(field->value));
  }
  line_.clear();
  return Step::trailer_start;
}

}  // namespace tus::server
