#include <tus/testing/fake_exchange.h>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

FakeExchange::FakeExchange(RequestHead head, BodyScript script)
    : head_(std::move(head)), body_(script) {
  head_.content_length = script.announced;
  const bool nothing_comes = script.pieces.empty() && script.end == BodyState::complete;
  head_.has_body = script.announced ? *script.announced > 0 : !nothing_comes;
}

const Fields& FakeExchange::trailers() const noexcept {
  static const Fields nothing;
  return body_.state() == BodyState::complete ? trailers_ : nothing;
}

Awaitable<void> FakeExchange::send_interim(int status, Fields fields) {
  Response response(status);
  response.fields = std::move(fields);
  interim_.push_back(std::move(response));
  co_return;
}

Awaitable<void> FakeExchange::send_final(Response response) {
  EXPECT_FALSE(final_.has_value()) << "a request is answered once";
  final_ = std::move(response);
  co_return;
}

Awaitable<void> FakeExchange::send_content(Response head, Content content) {
  EXPECT_TRUE(head.body.empty()) << "a body is held or streamed, not both";
  std::array<std::byte, 100> piece;
  std::uint64_t came = 0;
  while (came < content.length) {
    const auto got = co_await content.stream->read(piece, Deadline::never());
    if (!got || *got == 0) break;
    head.body.append(reinterpret_cast<const char*>(piece.data()), *got);
    came += *got;
  }
  EXPECT_LE(came, content.length);
  content_broke_ = came < content.length;
  co_await send_final(std::move(head));
}

}  // namespace testing

TUS_NAMESPACE_END
