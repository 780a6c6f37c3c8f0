#include "server/h1_exchange.h"

#include "server/response_writer.h"

#include <cassert>
#include <utility>

namespace tus::server {

namespace {

H1Body::Setup body_setup(const ParsedHead& parsed) {
  return {.length = parsed.head.content_length.value_or(0),
          .chunked = parsed.chunked,
          .expects_continue = parsed.expects_continue};
}

}  // namespace

H1Exchange::H1Exchange(Connection& connection, Context& context, ParsedHead parsed)
    : connection_(connection),
      parsed_(std::move(parsed)),
      body_(connection, context.pipes, context.options.zero_copy, body_setup(parsed_)) {}

Awaitable<void> H1Exchange::send_interim(int status, Fields fields) {
  if (answered_ || parsed_.http_1_0) co_return;
  if (status == 100) body_.continue_sent();
  std::string out;
  write_interim(out, status, fields);
  co_await connection_.send(out, {});
}

Awaitable<void> H1Exchange::send_final(Response response) {
  assert(!answered_);
  if (answered_) co_return;
  answered_ = true;
  if (connection_.loop().stopping()) connection_.loop().request_answered();
  rest_ = body_.rest();
  if (rest_ == H1Body::Rest::large || connection_.loop().stopping()) close_afterwards();

  const ResponseContext context{.date = connection_.loop().date(),
                                .to_head = parsed_.head.method == "HEAD",
                                .close = closes(),
                                .confirm_keep_alive = parsed_.http_1_0 && !closes()};
  auto& out = connection_.loop().send_buffer();
  out.clear();
  write_head(out, response, context);
  const std::string_view body = sends_body(response, context) ? response.body : std::string_view();
  if (!co_await connection_.send(out, body)) close_afterwards();
}

}  // namespace tus::server
