#include "net/http_client.h"

#include "net/curl_loop.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace tus::net {

namespace {

void give_up(const std::shared_ptr<CurlLoop>& loop, std::shared_ptr<CurlTransfer> transfer) {
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
