// One HTTP/1.1 request and its answer on a connection.
#pragma once

#include "server/access_log.h"
#include "server/connection.h"
#include "server/context.h"
#include "server/h1_body.h"
#include "server/head_parser.h"

#include <tus/exchange.h>

#include <cstdint>
#include <memory>
#include <optional>

namespace tus::server {

class H1Exchange final : public Exchange {
 public:
  H1Exchange(Connection& connection, Context& context, ParsedHead parsed);
  ~H1Exchange() override;
  H1Exchange(const H1Exchange&) = delete;
  H1Exchange& operator=(const H1Exchange&) = delete;

  // Once the head is out of the connection's input: the body starts where that now begins.
  void begin() { body_.begin(); }

  // Before it is answered: what the client is refused for by a limit, or nothing, and then it counts until its end.
  std::optional<ErrorCode> admit();

  const RequestHead& head() const noexcept override { return parsed_.head; }
  H1Body& body() noexcept override { return body_; }
  const Fields& trailers() const noexcept override { return body_.trailers(); }
  Awaitable<void> send_interim(int status, Fields fields) override;
  Awaitable<void> send_final(Response response) override;
  Awaitable<void> send_content(Response head, Content content) override;
  bool peer_gone() const noexcept override { return connection_.gone(); }

  bool answered() const noexcept { return answered_; }
  // The answer is the last one on this connection.
  void close_afterwards() noexcept { parsed_.keep_alive = false; }
  bool closes() const noexcept { return !parsed_.keep_alive; }
  // Once answered: what is left of the body.
  H1Body::Rest rest() const noexcept { return rest_; }

 private:
  // False when the client does not take it.
  Awaitable<bool> answer(Response response, std::optional<std::uint64_t> content_length);
  // Once the answer is out, or will not be: `bytes` of its body are.
  void report(int status, std::uint64_t bytes, Delivery delivery) const noexcept;
  std::uint64_t bytes_in() const noexcept;
  void log_broken_content(const Error& cause) const;

  Connection& connection_;
  Context& context_;
  ParsedHead parsed_;
  H1Body body_;
  const bool counts_;  // it is about an upload, and not about the server
  std::optional<ErrorCode> take_shares(const ClientKey& key, std::uint64_t most_requests,
                                       std::uint64_t most_uploads);

  struct Shares {
    ClientShares::Share request;
    ClientShares::Share upload;
  };
  bool brings_bytes() const noexcept {
    return parsed_.chunked || parsed_.head.content_length.value_or(0) > 0;
  }

  std::unique_ptr<Shares> shares_;  // none where nothing is limited
  bool answered_ = false;
  H1Body::Rest rest_ = H1Body::Rest::none;
};

}  // namespace tus::server
