// A request without a socket, and the place where its answer can be looked at.
#pragma once

#include <tus/exchange.h>
#include <tus/testing/script_source.h>

#include <optional>
#include <utility>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

class FakeExchange final : public Exchange {
 public:
  // `head.has_body` and `head.content_length` are taken from the script.
  FakeExchange(RequestHead head, BodyScript script);

  const RequestHead& head() const noexcept override { return head_; }
  ScriptSource& body() noexcept override { return body_; }
  const Fields& trailers() const noexcept override;
  Awaitable<void> send_interim(int status, Fields fields) override;
  Awaitable<void> send_final(Response response) override;
  // The content becomes the body; what a stream that fails has given until then, and no more.
  Awaitable<void> send_content(Response head, Content content) override;
  bool peer_gone() const noexcept override { return peer_gone_; }

  // Whether content that was announced did not come.
  bool content_broke() const noexcept { return content_broke_; }
  // Behind the body.
  void set_trailers(Fields trailers) { trailers_ = std::move(trailers); }
  void set_peer_gone() noexcept { peer_gone_ = true; }

  const std::vector<Response>& interim() const noexcept { return interim_; }
  // Nothing until it was sent. A second answer to one request fails the test.
  const std::optional<Response>& final_response() const noexcept { return final_; }

 private:
  RequestHead head_;
  ScriptSource body_;
  Fields trailers_;
  std::vector<Response> interim_;
  std::optional<Response> final_;
  bool peer_gone_ = false;
  bool content_broke_ = false;
};

}  // namespace testing

TUS_NAMESPACE_END
