#include "server/h1_exchange.h"

#include "protocol/tus_v1.h"
#include "server/content_sender.h"
#include "server/response_writer.h"

#include <cassert>
#include <utility>

namespace tus::server {

namespace {

H1Body::Setup body_setup(const ParsedHead& parsed) {
  return {.length = parsed.head.content_length.value_or(0),
          .chunked = parsed.chunked,
          .expects_continue = parsed.expects_continue,
          .begun = std::chrono::steady_clock::now()};
}

// Never 0.
std::uint64_t name_of_upload(std::string_view target) {
  return std::hash<std::string_view>()(target.substr(0, target.find('?'))) | 1;
}

}  // namespace

H1Exchange::H1Exchange(Connection& connection, Context& context, ParsedHead parsed)
    : connection_(connection),
      context_(context),
      parsed_(std::move(parsed)),
      body_(connection, context, body_setup(parsed_)),
      counts_(!context.router.is_exact(parsed_.head.target)) {
  if (counts_) context_.metrics->request_begun();
}

H1Exchange::~H1Exchange() {
  if (counts_) context_.metrics->request_ended();
}

std::optional<ErrorCode> H1Exchange::admit() {
  if (!counts_) return std::nullopt;
  if (context_.is_swamped()) return ErrorCode::overloaded;
  const auto& live = context_.live();
  const bool by_proxy = context_.options.behind_proxy;
  const auto requests =
      by_proxy ? live.max_connections_per_address.load(std::memory_order_relaxed) : 0;
  const auto uploads =
      brings_bytes() ? live.max_uploads_per_address.load(std::memory_order_relaxed) : 0;
  if (requests == 0 && uploads == 0) return std::nullopt;
  auto key = client_key(parsed_.head.remote_address);
  if (!key && by_proxy) key = ClientKey();
  return key ? take_shares(*key, requests, uploads) : std::nullopt;
}

std::optional<ErrorCode> H1Exchange::take_shares(const ClientKey& key, std::uint64_t most_requests,
                                                 std::uint64_t most_uploads) {
  auto shares = std::make_unique<Shares>();
  if (most_requests > 0) {
    auto share = context_.connection_shares.take(key, most_requests);
    if (!share) {
      context_.metrics->request_refused(Refusal::per_address);
      return ErrorCode::too_many_connections;
    }
    shares->request = *std::move(share);
  }
  if (most_uploads > 0) {
    // Who goes on with an upload after a lost connection takes over from himself.
    const bool may_take_over = protocol::effective_method(parsed_.head) == "PATCH";
    auto share = context_.upload_shares.take(
        key, most_uploads, may_take_over ? name_of_upload(parsed_.head.target) : 0);
    if (!share) {
      context_.metrics->request_refused(Refusal::uploads);
      return ErrorCode::too_many_uploads;
    }
    shares->upload = *std::move(share);
  }
  shares_ = std::move(shares);
  return std::nullopt;
}

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
  const auto status = response.status;
  const auto bytes =
      may_have_body(status) && parsed_.head.method != "HEAD" ? response.body.size() : 0;
  const bool sent = co_await answer(std::move(response), std::nullopt);
  if (!sent) close_afterwards();
  report(status, sent ? bytes : 0, sent ? Delivery::whole : Delivery::broken);
}

Awaitable<void> H1Exchange::send_content(Response head, Content content) {
  assert(!answered_);
  if (answered_) co_return;
  const auto status = head.status;
  const bool is_wanted = may_have_body(status) && parsed_.head.method != "HEAD";
  ContentOutcome outcome;
  outcome.delivered = co_await answer(std::move(head), content.length);
  if (outcome.delivered && is_wanted) {
    outcome = co_await tus::server::send_content(connection_, std::move(content),
                                                 context_.options.zero_copy, *context_.metrics);
  }
  if (outcome.failure) log_broken_content(*outcome.failure);
  if (!outcome.delivered) close_afterwards();
  report(status, outcome.bytes, outcome.delivered ? Delivery::whole : Delivery::broken);
}

std::uint64_t H1Exchange::bytes_in() const noexcept {
  if (!parsed_.head.content_length) return body_.chunked_bytes();
  return *parsed_.head.content_length - body_.remaining().value_or(0);
}

void H1Exchange::report(int status, std::uint64_t bytes, Delivery delivery) const noexcept {
  const auto duration = std::chrono::steady_clock::now() - body_.begun();
  if (counts_) {
    context_.metrics->request_done({protocol::effective_method(parsed_.head), status, duration});
  }
  if (!context_.options.access_log) return;
  const auto& head = parsed_.head;
  log_access(*context_.logger, {.method = head.method,
                                .path = head.target,
                                .remote = head.remote_address,
                                .request_id = head.request_id,
                                .status = status,
                                .bytes_in = bytes_in(),
                                .bytes_out = bytes,
                                .duration = duration,
                                .delivery = delivery});
}

void H1Exchange::log_broken_content(const Error& cause) const {
  context_.logger->log(LogLevel::error, "DownloadBroken",
                       {{"error", describe(cause.code()).code},
                        {"cause", cause.detail()},
                        {"method", parsed_.head.method},
                        {"path", parsed_.head.target},
                        {"remote", parsed_.head.remote_address},
                        {"requestId", parsed_.head.request_id}});
}

// From here on nobody waits for this request any more, also when a stop comes while content is on its way.
Awaitable<bool> H1Exchange::answer(Response response, std::optional<std::uint64_t> content_length) {
  answered_ = true;
  if (connection_.loop().stopping()) connection_.loop().request_answered();
  rest_ = body_.rest();
  if (rest_ == H1Body::Rest::large || connection_.loop().stopping()) close_afterwards();

  const ResponseContext context{.date = connection_.loop().date(),
                                .to_head = parsed_.head.method == "HEAD",
                                .close = closes(),
                                .confirm_keep_alive = parsed_.http_1_0 && !closes(),
                                .content_length = content_length};
  auto& out = connection_.loop().send_buffer();
  out.clear();
  write_head(out, response, context);
  const std::string_view body = sends_body(response, context) ? response.body : std::string_view();
  co_return co_await connection_.send(out, body);
}

}  // namespace tus::server
