#include "server/content_sender.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <poll.h>
#include <span>
#include <string_view>

namespace tus::server {

namespace {

constexpr std::size_t piece_bytes = 64 * 1024;
// What a client may take at once of a store that never waits, before others of the loop get their turn.
constexpr std::uint64_t fair_share = 1 << 20;

struct Step {
  std::uint64_t bytes = 0;
  bool client_is_gone = false;
  std::optional<Error> failure;
};

Step broken(Error error) {
  Step step;
  step.failure = std::move(error);
  return step;
}

Step gone() {
  Step step;
  step.client_is_gone = true;
  return step;
}

bool is_writable(const Connection& connection) noexcept {
  pollfd p{connection.fd(), POLLOUT, 0};
  return ::poll(&p, 1, 0) > 0;
}

// False when the client has gone or has taken nothing for too long.
Awaitable<bool> room(Connection& connection) {
  for (;;) {
    const auto waited = co_await connection.wait_writable(connection.network_deadline());
    if (waited == Connection::Waited::ready) co_return true;
    if (waited == Connection::Waited::timed_out || connection.gone()) co_return false;
  }
}

// The kernel moves the bytes.
Awaitable<Step> move_piece(Connection& connection, ReadStream& stream) {
  auto sent = co_await stream.send_to(connection.fd(), connection.network_deadline());
  if (!sent) co_return broken(std::move(sent.error()));
  Step step;
  step.bytes = sent->bytes;
  step.client_is_gone = sent->socket_error != 0;
  if (sent->socket_is_full) {
    step.client_is_gone = !co_await room(connection);
  } else if (sent->bytes == 0 && !step.client_is_gone && stream.can_send()) {
    co_return broken(Error(ErrorCode::internal, "a stream sends nothing"));
  }
  co_return step;
}

// With a buffer that lives from the read until the socket has it.
Awaitable<Step> copy_piece(Connection& connection, ReadStream& stream, std::uint64_t left) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece_bytes));
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(size);
  const auto got = co_await stream.read({buffer.get(), size}, connection.network_deadline());
  if (!got) co_return broken(got.error());
  if (*got == 0) co_return broken(Error(ErrorCode::internal, "a stream ends early"));
  const std::string_view text(reinterpret_cast<const char*>(buffer.get()), *got);
  Step step;
  step.client_is_gone = !co_await connection.send({}, text);
  if (!step.client_is_gone) step.bytes = *got;
  co_return step;
}

// Nothing is read for a client that has no room for it.
Awaitable<Step> copy_when_there_is_room(Connection& connection, ReadStream& stream,
                                        std::uint64_t left) {
  if (!is_writable(connection) && !co_await room(connection)) co_return gone();
  co_return co_await copy_piece(connection, stream, left);
}

}  // namespace

Awaitable<ContentOutcome> send_content(Connection& connection, Content content, ZeroCopy zero_copy,
                                       MetricsSink& metrics) {
  auto& stream = *content.stream;
  std::uint64_t since_turn = 0;
  for (auto left = content.length; left > 0;) {
    const bool directly = zero_copy != ZeroCopy::never && stream.can_send();
    auto step = directly ? co_await move_piece(connection, stream)
                         : co_await copy_when_there_is_room(connection, stream, left);
    if (step.bytes > left) {
      step.failure = Error(ErrorCode::internal, "a stream does not end");
    } else {
      left -= step.bytes;
      if (step.bytes > 0) {
        metrics.content_moved(directly ? BytePath::spliced : BytePath::copied, step.bytes);
      }
    }
    if (step.failure || step.client_is_gone) {
      co_return ContentOutcome{false, std::move(step.failure), content.length - left};
    }
    since_turn += step.bytes;
    if (since_turn < fair_share) continue;
    since_turn = 0;
    co_await asio::post(asio::use_awaitable);
  }
  co_return ContentOutcome{true, std::nullopt, content.length};
}

}  // namespace tus::server
