// An HTTP/1.1 server for handlers. Programs with a server of their own implement Exchange instead.
#pragma once

#include <tus/async.h>
#include <tus/blocking_pool.h>
#include <tus/handler.h>
#include <tus/live_settings.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

TUS_NAMESPACE_BEGIN

enum class ZeroCopy : std::uint8_t {
  automatic,  // splice bodies that are large enough to gain from it
  always,     // for tests: whenever the framing allows it
  never,
};

struct HttpServerOptions {
  HttpServerOptions() = default;

  std::chrono::milliseconds network_timeout{
      60'000};  // no byte of a body, or of a response taken; 0: never
  std::chrono::milliseconds header_timeout{30'000};  // for a whole request head; 0: never
  std::chrono::milliseconds idle_timeout{60'000};    // between requests; 0: never
  std::size_t max_request_line = 8 * 1024;           // bytes; beyond it 414
  std::size_t max_header_bytes = 32 * 1024;          // bytes of the whole head; beyond it 431
  std::size_t max_header_fields = 100;               // beyond it 431
  // At most so many connections. For one more, the connection that has waited longest for a request, or with a part
  // of one, is closed; when all of them have one, the new one is answered 503 ERR_OVERLOADED and closed. For
  // a moment there may be some more (up to 64), while others close. 0: no limit.
  std::size_t max_connections = 0;
  // Of one client, which is an IPv4 address or the network (/64) of an IPv6 address. Beyond it: 503
  // ERR_TOO_MANY_CONNECTIONS. With behind_proxy connections are the proxy's, so requests that are received or answered
  // count, but for those of exact paths. Clients on Unix sockets are not counted without behind_proxy. 0: no limit.
  std::size_t max_connections_per_address = 0;
  // Uploads that one client (as above) sends bytes of at the same time. Beyond it: 503 ERR_TOO_MANY_UPLOADS, before
  // the body is read. Another PATCH for the same upload, which takes over from the first, is no second upload. 0: no limit.
  std::size_t max_uploads_per_address = 0;
  // Bytes a second. A body that brings fewer, over rate_window of waiting for it, is ended with
  // BodyState::too_slow (503 ERR_UPLOAD_TOO_SLOW); what it brought is kept. 0: no limit.
  std::uint64_t min_upload_rate = 0;
  std::chrono::milliseconds rate_window{30'000};
  // X-Forwarded-For, X-Real-IP and Forwarded say who the client is: RequestHead::remote_address, and whom limits
  // count. Only where every request has passed a proxy that sets or removes all of them.
  bool behind_proxy = false;
  ZeroCopy zero_copy = ZeroCopy::automatic;
  bool access_log = false;             // a line for every request: "Access", at the level info
  std::shared_ptr<LiveSettings> live;  // when set, its values count instead of those above
};

// What becomes of clients that have connected and were not accepted when the server stops.
enum class Unaccepted : std::uint8_t {
  answer,  // they are told to come again
  leave,   // another process that has the socket too will accept them
};

// Answers what no handler is mounted for. Called on the connection's executor; must not block.
using PlainResponder = std::function<Response(const RequestHead&)>;
// The same for an answer that has to be waited for.
using WaitingResponder = std::function<Awaitable<Response>(RequestHead)>;

class TUS_EXPORT HttpServer {
 public:
  // `loops`: executors that each run on one thread; connections are spread over them. They and `pool`
  // must go on until stop() has returned.
  HttpServer(HttpServerOptions options, std::vector<asio::any_io_executor> loops,
             std::shared_ptr<BlockingPool> pool, std::shared_ptr<Logger> logger,
             std::shared_ptr<MetricsSink> metrics);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Before listen(). The longest base path wins; `base_path` begins and ends with '/', and also
  // matches without its last '/'.
  void mount(std::string base_path, std::shared_ptr<Handler> handler);
  // An exact path, e.g. "/metrics"; comes before base paths. Requests for it are in no figure of the metrics.
  void mount_plain(std::string path, PlainResponder responder);
  void mount_waiting(std::string path, WaitingResponder responder);

  // Listens on an address ("" or "0.0.0.0": both address families) and port (0: a free one); may be
  // called several times. Returns the port, or store_unavailable with a sentence for the operator.
  Result<std::uint16_t> listen(const std::string& host, std::uint16_t port);
  // Listens on a stream socket of any kind that listens already, for instance one that another process
  // has opened. Takes the descriptor over, also when it fails (store_unavailable).
  Status listen(int fd);

  // The first half of stop(), for programs that have to know when no request uses a handler any more:
  // accepts nothing new, ends bodies with BodyState::stopping so that what arrived is saved and
  // answered, and returns when every request has its answer. At the deadline connections are cut.
  // Connections may still be there; what they bring is answered 503.
  Awaitable<void> end_requests(Deadline deadline, Unaccepted unaccepted);

  // end_requests(), unless that was called before; then waits for all connections until the deadline, and
  // cuts them.
  Awaitable<void> stop(Deadline deadline);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

TUS_NAMESPACE_END
