#include "server/h1_body.h"

#include "server/file_io.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <utility>

namespace tus::server {

namespace {

// From here on the detour through user space costs more than the pipe (measured on tmpfs).
constexpr std::uint64_t splice_threshold = 32 * 1024;
// Bodies this small are fetched on the loop as soon as they arrive, so that a store gets them whole.
constexpr std::uint64_t small_body = 16 * 1024;
constexpr std::uint64_t small_rest = 256 * 1024;
constexpr std::string_view continue_response = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

H1Body::H1Body(Connection& connection, Context& context, Setup setup)
    : connection_(connection),
      context_(context),
      begun_(setup.begun),
      zero_copy_(context.options.zero_copy),
      owes_continue_(setup.expects_continue),
      remaining_(setup.chunked ? 0 : setup.length),
      decoder_(setup.chunked ? std::make_unique<ChunkDecoder>() : nullptr) {}

void H1Body::begin() {
  if (!connection_.input().empty()) owes_continue_ = false;
  if (decoder_) {
    read_buffered_framing();
  } else if (remaining_ == 0) {
    end(BodyState::complete);
  }
}

std::optional<std::uint64_t> H1Body::remaining() const noexcept {
  if (decoder_) return std::nullopt;
  return remaining_;
}

std::span<const std::byte> H1Body::buffered() const noexcept {
  if (!open()) return {};
  auto here = connection_.input().span();
  return here.first(static_cast<std::size_t>(std::min<std::uint64_t>(here.size(), contiguous())));
}

const Fields& H1Body::trailers() const noexcept {
  static const Fields nothing;
  return decoder_ && state() == BodyState::complete ? decoder_->trailers() : nothing;
}

// ---- state

void H1Body::end(BodyState state) noexcept {
  auto expected = BodyState::open;
  state_.compare_exchange_strong(expected, state, std::memory_order_acq_rel);
}

void H1Body::interrupt(BodyState reason) noexcept {
  end(reason);
  connection_.wake_body_wait();
}

void H1Body::follow_decoder() noexcept {
  if (decoder_->state() == ChunkDecoder::State::done) end(BodyState::complete);
  if (decoder_->state() == ChunkDecoder::State::malformed) end(BodyState::malformed);
}

// Afterwards the buffer starts with payload, or is empty, or holds the next request.
void H1Body::read_buffered_framing() {
  auto& input = connection_.input();
  while (!input.empty() && decoder_->state() == ChunkDecoder::State::framing) {
    input.consume(decoder_->read_framing(input.span()));
  }
  follow_decoder();
}

// Payload bytes that follow each other without framing in between.
std::uint64_t H1Body::contiguous() const noexcept {
  return decoder_ ? decoder_->data_left() : remaining_;
}

void H1Body::took(std::uint64_t n) noexcept {
  if (decoder_) {
    decoder_->took(n);
    return;
  }
  remaining_ -= n;
  if (remaining_ == 0) end(BodyState::complete);
}

// ---- taking bytes

std::size_t H1Body::receive(std::span<std::byte> into) noexcept {
  if (into.empty() || !open()) return 0;
  auto n = connection_.receive(into);
  if (n > 0) return static_cast<std::size_t>(n);
  if (n == 0) end(BodyState::peer_closed);
  if (n < 0 && n != -EAGAIN) end(BodyState::peer_reset);
  return 0;
}

BodySource::Moved H1Body::pull(std::span<std::byte> into) {
  const auto n = take(into);
  count(BytePath::copied, n);
  return {n, state(), 0};
}

std::size_t H1Body::take(std::span<std::byte> into) {
  if (!open()) return 0;
  return decoder_ ? pull_chunked(into) : pull_plain(into);
}

// Bytes that somebody has, who wanted them.
void H1Body::count(BytePath path, std::uint64_t bytes) noexcept {
  if (bytes == 0) return;
  recent_bytes_ += bytes;
  context_.metrics->body_moved(path, bytes);
  if (!std::exchange(awaits_first_byte_, false)) return;
  context_.metrics->first_byte_stored(std::chrono::steady_clock::now() - begun_);
}

std::size_t H1Body::pull_plain(std::span<std::byte> into) noexcept {
  into = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), remaining_)));
  auto n = connection_.input().take(into);
  n += receive(into.subspan(n));
  took(n);
  return n;
}

std::size_t H1Body::pull_chunked(std::span<std::byte> into) {
  std::size_t out = 0;
  while (open() && out < into.size()) {
    auto room = into.subspan(out);
    if (!connection_.input().empty()) {
      out += take_buffered_data(room);
    } else if (room.size() < 1024) {
      // Receiving framing a few bytes at a time would cost a system call each.
      if (!receive_small()) break;
    } else {
      auto n = receive(room);
      if (n == 0) break;
      out += decode_in_place(room.first(n));
    }
  }
  return out;
}

std::size_t H1Body::take_buffered_data(std::span<std::byte> into) {
  auto most = std::min<std::uint64_t>(into.size(), decoder_->data_left());
  auto n = connection_.input().take(into.first(static_cast<std::size_t>(most)));
  if (n > 0) decoder_->took(n);
  read_buffered_framing();
  return n;
}

bool H1Body::receive_small() {
  std::array<std::byte, 4096> piece;
  auto n = receive(piece);
  connection_.input().append(std::span(piece).first(n));
  read_buffered_framing();
  return n > 0;
}

// Squeezes the framing out of raw bytes; returns how many bytes of payload are left at the front.
std::size_t H1Body::decode_in_place(std::span<std::byte> raw) {
  std::size_t kept = 0;
  std::size_t read = 0;
  while (read < raw.size() && open()) {
    if (auto data = decoder_->data_left(); data > 0) {
      auto n = static_cast<std::size_t>(std::min<std::uint64_t>(data, raw.size() - read));
      if (kept != read) std::memmove(raw.data() + kept, raw.data() + read, n);
      decoder_->took(n);
      kept += n;
      read += n;
    } else {
      read += decoder_->read_framing(raw.subspan(read));
      follow_decoder();
      if (decoder_->state() == ChunkDecoder::State::done) break;
      if (decoder_->state() == ChunkDecoder::State::malformed) return kept;
    }
  }
  connection_.input().append(raw.subspan(read));
  return kept;
}

// ---- moving to a file

BodySource::Moved H1Body::move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                                       std::span<std::byte> scratch) {
  Moved moved;
  while (open() && moved.bytes < max && moved.file_error == 0) {
    const auto left = max - moved.bytes;
    const auto n = wants_splice() ? splice(fd, at + moved.bytes, left, scratch, moved.file_error)
                                  : copy(fd, at + moved.bytes, left, scratch, moved.file_error);
    moved.bytes += n;
    if (n == 0) break;
  }
  // What the file refused was taken from the socket: the body cannot go on after it.
  if (moved.file_error != 0) end(BodyState::interrupted);
  moved.state = state();
  return moved;
}

bool H1Body::wants_splice() const noexcept {
  return connection_.input().empty() && is_worth_splicing(contiguous());
}

bool H1Body::is_worth_splicing(std::uint64_t bytes) const noexcept {
  if (zero_copy_ == ZeroCopy::never) return false;
  return bytes >= (zero_copy_ == ZeroCopy::always ? 1 : splice_threshold);
}

std::uint64_t H1Body::copy(int fd, std::uint64_t at, std::uint64_t max,
                           std::span<std::byte> scratch, int& file_error) {
  auto room = static_cast<std::size_t>(std::min<std::uint64_t>(scratch.size(), max));
  // Where the bulk can be spliced, only what is in the buffer already takes this way.
  const auto buffered = connection_.input().size();
  if (buffered > 0 && contiguous() > buffered && is_worth_splicing(contiguous() - buffered)) {
    room = std::min(room, buffered);
  }
  std::size_t n = 0;
  while (n < room && open()) {
    const auto more = take(scratch.subspan(n, room - n));
    if (more == 0) break;
    n += more;
  }
  const auto written = write_all(fd, at, scratch.first(n), file_error);
  count(BytePath::copied, written);
  return written;
}

std::uint64_t H1Body::splice(int fd, std::uint64_t at, std::uint64_t max,
                             std::span<std::byte> scratch, int& file_error) {
  auto pipe = context_.pipes.take();
  if (!pipe.valid()) {
    zero_copy_ = ZeroCopy::never;  // no descriptors left: the long way still works
    return copy(fd, at, max, scratch, file_error);
  }
  std::uint64_t total = 0;
  while (open() && total < max && contiguous() > 0) {
    auto n = splice_from_socket(pipe, std::min<std::uint64_t>(max - total, contiguous()));
    if (n == 0) break;
    // Whatever happens to the body meanwhile, bytes that have left the socket go to the file.
    auto written = drain_pipe(pipe.read_end(), n, fd, at + total, scratch, file_error);
    total += written;
    count(BytePath::spliced, written);
    took(n);
    if (written < n) return total;  // the pipe is not empty: it is closed
  }
  context_.pipes.give_back(std::move(pipe));
  if (zero_copy_ == ZeroCopy::never) {
    total += copy(fd, at + total, max - total, scratch, file_error);
  }
  return total;
}

std::size_t H1Body::splice_from_socket(const net::Pipe& pipe, std::uint64_t max) noexcept {
  auto most = static_cast<std::size_t>(std::min<std::uint64_t>(max, pipe.capacity()));
  for (;;) {
    auto n = ::splice(connection_.fd(), nullptr, pipe.write_end(), nullptr, most,
                      SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) return static_cast<std::size_t>(n);
    if (n == 0) end(BodyState::peer_closed);
    if (n == 0 || errno == EAGAIN) return 0;
    if (errno == EINTR) continue;
    if (errno == EINVAL) {
      zero_copy_ = ZeroCopy::never;
    } else {
      end(BodyState::peer_reset);
    }
    return 0;
  }
}

// ---- waiting

Deadline H1Body::next_look(Deadline::Point now) const noexcept {
  if (context_.live().min_upload_rate.load(std::memory_order_relaxed) == 0)
    return Deadline::never();
  return Deadline::after(now, context_.options.rate_window - recent_wait_);
}

bool H1Body::is_too_slow(std::chrono::nanoseconds waited) noexcept {
  const auto rate = context_.live().min_upload_rate.load(std::memory_order_relaxed);
  recent_wait_ += waited;
  if (rate == 0 || recent_wait_ < context_.options.rate_window) return false;
  const auto seconds = std::chrono::duration<double>(recent_wait_).count();
  const bool slow = static_cast<double>(recent_bytes_) < static_cast<double>(rate) * seconds;
  recent_bytes_ = 0;
  recent_wait_ = {};
  return slow;
}

bool H1Body::wait_briefly(std::chrono::microseconds patience) {
  using std::chrono::steady_clock;
  // An interruption is noticed this late at most.
  constexpr std::chrono::nanoseconds slice = std::chrono::milliseconds(2);
  if (open() && !connection_.input().empty()) return true;
  const auto until = steady_clock::now() + patience;
  for (auto now = steady_clock::now(); open() && now < until; now = steady_clock::now()) {
    auto wait = std::min<std::chrono::nanoseconds>(until - now, slice);
    timespec timeout{0, static_cast<long>(wait.count())};
    pollfd p{connection_.fd(), POLLIN, 0};
    if (::ppoll(&p, 1, &timeout, nullptr) > 0) return open();
  }
  return false;
}

Awaitable<BodyState> H1Body::wait() {
  if (!open() || !buffered().empty()) co_return state();
  if (owes_continue_) {
    owes_continue_ = false;
    if (!co_await connection_.send(continue_response, {})) end(BodyState::peer_reset);
    if (!open()) co_return state();
  }
  auto waited = Connection::Waited::cancelled;
  auto since = std::chrono::steady_clock::now();
  const auto silence = connection_.network_deadline();
  while (connection_.begin_wait(Connection::Purpose::body, silence.sooner(next_look(since)))) {
    boost::system::error_code ec;
    co_await connection_.readable(ec);
    waited = connection_.end_wait(ec);
    const auto now = std::chrono::steady_clock::now();
    if (is_too_slow(now - std::exchange(since, now))) end(BodyState::too_slow);
    const bool only_looked = waited == Connection::Waited::timed_out && !silence.passed(now);
    if (only_looked && open()) continue;
    // A wake-up that was meant for the body of an earlier request may come late: wait again.
    if (waited != Connection::Waited::cancelled || !open()) break;
  }
  if (waited == Connection::Waited::timed_out) end(BodyState::timed_out);
  // Cancelled with a body that is still open: the whole connection was cut.
  if (waited == Connection::Waited::cancelled) end(BodyState::stopping);
  if (waited == Connection::Waited::ready) fetch_small_rest();
  co_return state();
}

void H1Body::fetch_small_rest() {
  auto& input = connection_.input();
  if (decoder_ || remaining_ > small_body || remaining_ <= input.size() || !open()) return;
  auto into = connection_.loop().receive_buffer().first(
      static_cast<std::size_t>(remaining_ - input.size()));
  // An end or an error is left to the pull that finds nothing else: bytes in the buffer come first.
  auto n = connection_.receive(into);
  if (n > 0) input.append(into.first(static_cast<std::size_t>(n)));
}

// ---- what nobody took

H1Body::Rest H1Body::rest() {
  if (state() == BodyState::complete) return Rest::none;
  // A client that was not told to go on may or may not send its body; both have to be expected.
  if (!open() || owes_continue_) return Rest::large;
  if (!decoder_) return remaining_ <= small_rest ? Rest::small : Rest::large;
  std::uint64_t skipped = 0;
  while (open() && skipped <= small_rest) {
    const auto n = take(connection_.loop().receive_buffer());
    if (n == 0) break;
    skipped += n;
  }
  return state() == BodyState::complete ? Rest::none : Rest::large;
}

Awaitable<bool> H1Body::drain(Deadline deadline) {
  for (;;) {
    const auto taken = take(connection_.loop().receive_buffer());
    if (!open()) co_return state() == BodyState::complete;
    if (taken > 0) continue;
    auto waited = co_await connection_.wait_readable(Connection::Purpose::linger, deadline);
    if (waited != Connection::Waited::ready) co_return false;
  }
}

}  // namespace tus::server
