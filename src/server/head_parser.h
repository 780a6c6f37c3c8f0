// Request heads of HTTP/1.x: where they end, what they say, and which ones we refuse.
//
// Beast parses; the checks in front of it are for what Beast forgives and what attackers use to make two
// servers see two different requests in the same bytes. Pure.
#pragma once

#include <tus/error.h>
#include <tus/message.h>

#include <cstddef>
#include <expected>
#include <string_view>

namespace tus::server {

struct HeadLimits {
  std::size_t request_line = 8 * 1024;
  std::size_t bytes = 32 * 1024;
  std::size_t fields = 100;
};

// An answer without a handler; the connection ends after it.
struct Rejection {
  int status = 400;
  std::string_view message;
  ErrorCode code = ErrorCode::invalid_request;
};

// With the status and the sentence that the code has everywhere.
Rejection rejection_of(ErrorCode code) noexcept;

// Finds the end of a head in bytes that arrive piece by piece.
class HeadScanner {
 public:
  enum class Found : std::uint8_t { nothing_yet, head, rejected };

  // `data` is everything since the end of the last request; it may only have grown since the last call.
  Found scan(std::string_view data, const HeadLimits& limits) noexcept;

  // After `head`: the bytes before begin() are an empty line that is skipped.
  std::size_t begin() const noexcept { return begin_; }
  std::size_t end() const noexcept { return line_; }
  Rejection rejection() const noexcept { return rejection_; }

 private:
  Found reject(int status, std::string_view message) noexcept;
  Found check_unfinished(std::string_view data, const HeadLimits& limits) noexcept;
  Found end_line(std::string_view data, std::size_t newline, const HeadLimits& limits) noexcept;

  std::size_t begin_ = 0;
  std::size_t line_ = 0;  // where the line starts that is not finished yet
  std::size_t scanned_ = 0;
  std::size_t lines_ = 0;
  Rejection rejection_;
};

struct ParsedHead {
  ParsedHead() = default;

  RequestHead head;  // all but remote_address and request_id
  bool http_1_0 = false;
  bool keep_alive = true;  // as the client wants it
  bool chunked = false;
  bool expects_continue = false;
};

// `head` ends with the empty line, as HeadScanner found it.
std::expected<ParsedHead, Rejection> parse_head(std::string_view head, const HeadLimits& limits);

}  // namespace tus::server
