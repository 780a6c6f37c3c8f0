#include "core/request_body.h"

#include "core/limited_source.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tus::core {

std::optional<std::span<const std::byte>> whole_body(BodySource& body) {
  if (body.state() == BodyState::complete) return std::span<const std::byte>();
  const auto here = body.buffered();
  if (body.remaining() != here.size()) return std::nullopt;
  return here;
}

void take_buffered(BodySource& body, std::size_t count) {
  std::array<std::byte, 4096> sink;
  while (count > 0) {
    const auto taken = body.pull(std::span(sink).first(std::min(count, sink.size()))).bytes;
    if (taken == 0) return;
    count -= taken;
  }
}

Awaitable<BodyState> expect_nothing(BodySource& body) {
  LimitedSource nothing(body, 0);
  std::byte sink{};
  for (;;) {
    const auto state = nothing.pull({&sink, 1}).state;
    if (state != BodyState::open) co_return state;
    co_await nothing.wait();
  }
}

std::optional<Error> body_error(BodyState state, ErrorCode excess) {
  if (state == BodyState::limit) return Error(excess);
  auto code = error_of(state);
  return code ? std::optional<Error>(*code) : std::nullopt;
}

Outcome refuse(ErrorCode code, const Upload& upload) {
  Outcome outcome{Error(code)};
  outcome.tell(upload.info());
  return outcome;
}

}  // namespace tus::core
