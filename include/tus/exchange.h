// One request and its response, without a socket and without an HTTP version.
#pragma once

#include <tus/async.h>
#include <tus/body_source.h>
#include <tus/message.h>

TUS_NAMESPACE_BEGIN

// Lives on the connection's executor; all calls are made there, except body() as BodySource says.
class TUS_EXPORT Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const RequestHead& head() const noexcept = 0;
  virtual BodySource& body() noexcept = 0;
  // Complete once the body is; empty before.
  virtual const Fields& trailers() const noexcept = 0;

  // 1xx; ignored when the client's HTTP version has none. RFC 9110 section 15.2.
  virtual Awaitable<void> send_interim(int status, Fields fields) = 0;
  // Exactly once. A body that was not read is drained or cut off by the server so that the answer
  // arrives (RFC 9112 section 9.6). Failures to send are the server's business.
  virtual Awaitable<void> send_final(Response response) = 0;

  // Whether nobody is left to read the answer, as far as is known without waiting.
  virtual bool peer_gone() const noexcept = 0;
};

TUS_NAMESPACE_END
