#include "net/http_client.h"

#include "net/call_flow.h"
#include "net/curl_loop.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace tus::net {

namespace {

void give_up(const std::shared_ptr<CurlLoop>& loop, std::shared_ptr<CurlTransfer> transfer) {
  transfer->forget_body();
  asio::post(loop->strand(), [loop, transfer = std::move(transfer)] {
    loop->give_up(transfer,
                  Error(ErrorCode::store_unavailable, "nobody waits for the reply any more"));
  });
}

}  // namespace

HttpClient::HttpClient(const asio::any_io_executor& executor, HttpClientOptions options)
    : loop_(std::make_shared<CurlLoop>(executor, std::move(options))) {}

HttpClient::~HttpClient() = default;

Awaitable<Result<HttpReply>> HttpClient::send(HttpRequest request, Deadline deadline) {
  auto loop = loop_;
  auto transfer = std::make_shared<CurlTransfer>(std::move(request), deadline);
  asio::post(loop->strand(), [loop, transfer] { loop->start(transfer); });
  try {
    if (co_await transfer->done().wait(Deadline::never())) co_return transfer->take_result();
  } catch (...) {
    give_up(loop, transfer);
    throw;
  }
  give_up(loop, transfer);
  co_return fail(ErrorCode::store_unavailable, "cancelled");
}

std::unique_ptr<HttpCall> HttpClient::open(HttpRequest request,
                                           std::optional<std::uint64_t> body_size) {
  request.max_redirects = 0;
  request.stall = std::chrono::seconds(0);
  auto flow = std::make_shared<CallFlow>(loop_->strand());
  auto transfer = std::make_shared<CurlTransfer>(std::move(request), flow, body_size);
  flow->on_resume([loop = std::weak_ptr(loop_), weak = std::weak_ptr(transfer)] {
    const auto alive = loop.lock();
    const auto running = weak.lock();
    if (alive && running) alive->resume(running);
  });
  asio::post(loop_->strand(), [loop = loop_, transfer] { loop->start(transfer); });
  return std::make_unique<HttpCall>(loop_, std::move(transfer), std::move(flow));
}

HttpCall::HttpCall(std::shared_ptr<CurlLoop> loop, std::shared_ptr<CurlTransfer> transfer,
                   std::shared_ptr<CallFlow> flow)
    : loop_(std::move(loop)), transfer_(std::move(transfer)), flow_(std::move(flow)) {}

HttpCall::~HttpCall() {
  flow_->abandon();
  give_up(loop_, std::move(transfer_));
}

Awaitable<Status> HttpCall::write(std::span<const std::byte> bytes, Deadline deadline) {
  co_return co_await flow_->write(bytes, deadline);
}

Awaitable<Result<HttpHead>> HttpCall::head(Deadline deadline) {
  co_return co_await flow_->head(deadline);
}

Awaitable<Result<std::size_t>> HttpCall::read(std::span<std::byte> into, Deadline deadline) {
  co_return co_await flow_->read(into, deadline);
}

Awaitable<void> HttpClient::close(Deadline deadline) {
  auto loop = loop_;
  asio::post(loop->strand(), [loop] { loop->refuse_new(); });
  if (co_await loop->empty().wait(deadline)) co_return;
  asio::post(loop->strand(), [loop] {
    loop->give_up_all(Error(ErrorCode::server_shutdown, "the HTTP client is being closed"));
  });
  co_await loop->empty().wait(Deadline::never());
}

}  // namespace tus::net
