// The body of one HTTP/1.1 request, moved straight between its socket and where it belongs.
#pragma once

#include "net/pipe_pool.h"
#include "server/chunk_decoder.h"
#include "server/connection.h"
#include "server/context.h"

#include <tus/body_source.h>
#include <tus/http_server.h>

#include <atomic>
#include <memory>
#include <optional>

namespace tus::server {

class H1Body final : public BodySource {
 public:
  struct Setup {
    std::uint64_t length = 0;  // unless chunked
    bool chunked = false;
    bool expects_continue = false;
    Deadline::Point begun{};  // when its head was here
  };

  // What to do about bytes of the body that nobody took, once the answer is known.
  enum class Rest : std::uint8_t {
    none,   // all of it was read: the next request may follow
    small,  // worth reading to the end to keep the connection
    large,  // cheaper to end the connection
  };

  H1Body(Connection& connection, Context& context, Setup setup);

  // Before everything else, when the connection's input starts with what has arrived of the body.
  void begin();

  std::optional<std::uint64_t> remaining() const noexcept override;
  std::span<const std::byte> buffered() const noexcept override;
  BodyState state() const noexcept override { return state_.load(std::memory_order_acquire); }
  Moved pull(std::span<std::byte> into) override;
  Moved move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                     std::span<std::byte> scratch) override;
  bool wait_briefly(std::chrono::microseconds patience) override;
  Awaitable<BodyState> wait() override;
  void interrupt(BodyState reason) noexcept override;

  const Fields& trailers() const noexcept;
  // Bytes of it that were taken, of a chunked one.
  std::uint64_t chunked_bytes() const noexcept { return decoder_ ? decoder_->data_taken() : 0; }
  Deadline::Point begun() const noexcept { return begun_; }

  // On the loop: receives the rest of a small body if it is here, so that it can be stored in one go.
  void fetch_small_rest();

  // On the loop, before the final answer is sent. Reads what has already arrived of a chunked body to
  // find out whether it ends there.
  Rest rest();
  // Reads the rest to its end; false when the client does not send it in time.
  Awaitable<bool> drain(Deadline deadline);
  // An interim answer has told the client to go on.
  void continue_sent() noexcept { owes_continue_ = false; }

 private:
  bool open() const noexcept { return state() == BodyState::open; }
  void end(BodyState state) noexcept;
  void follow_decoder() noexcept;
  void read_buffered_framing();
  std::uint64_t contiguous() const noexcept;
  // When the pace is looked at next, if nothing comes until then.
  Deadline next_look(Deadline::Point now) const noexcept;
  // After a wait for the client: whether it is too slow.
  bool is_too_slow(std::chrono::nanoseconds waited) noexcept;
  void took(std::uint64_t n) noexcept;

  std::size_t receive(std::span<std::byte> into) noexcept;
  std::size_t take(std::span<std::byte> into);
  void count(BytePath path, std::uint64_t bytes) noexcept;
  std::size_t pull_plain(std::span<std::byte> into) noexcept;
  std::size_t pull_chunked(std::span<std::byte> into);
  std::size_t take_buffered_data(std::span<std::byte> into);
  bool receive_small();
  std::size_t decode_in_place(std::span<std::byte> raw);

  bool wants_splice() const noexcept;
  bool is_worth_splicing(std::uint64_t bytes) const noexcept;
  std::uint64_t splice(int fd, std::uint64_t at, std::uint64_t max, std::span<std::byte> scratch,
                       int& file_error);
  std::size_t splice_from_socket(const net::Pipe& pipe, std::uint64_t max) noexcept;
  std::uint64_t copy(int fd, std::uint64_t at, std::uint64_t max, std::span<std::byte> scratch,
                     int& file_error);

  Connection& connection_;
  Context& context_;
  const Deadline::Point begun_;
  ZeroCopy zero_copy_;
  bool owes_continue_;
  bool awaits_first_byte_ = true;
  // Since the pace was looked at last.
  std::uint64_t recent_bytes_ = 0;
  std::chrono::nanoseconds recent_wait_{0};  // for the client; how slow a store is is not its fault
  std::atomic<BodyState> state_ = BodyState::open;
  std::uint64_t remaining_;                // of a body with a length
  std::unique_ptr<ChunkDecoder> decoder_;  // of a chunked one
};

}  // namespace tus::server
