// One request and its response, without a socket and without an HTTP version.
#pragma once

#include <tus/async.h>
#include <tus/body_source.h>
#include <tus/message.h>
#include <tus/store.h>

#include <cstdint>
#include <memory>

TUS_NAMESPACE_BEGIN

// The body of an answer that is sent as it is read.
struct Content {
  std::unique_ptr<ReadStream> stream;
  std::uint64_t length = 0;  // bytes that the stream has
};

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
  // Instead of it, for a body that is not held in memory: `head.body` is empty. Returns when all of the
  // content is out, or will not be; a stream that fails or ends early ends the connection, so that nobody
  // takes what came for the whole.
  virtual Awaitable<void> send_content(Response head, Content content) = 0;

  // Whether nobody is left to read the answer, as far as is known without waiting.
  virtual bool peer_gone() const noexcept = 0;
};

TUS_NAMESPACE_END
