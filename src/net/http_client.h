// The HTTP client for everything that the server asks of others: hooks, buckets, lock services.
#pragma once

#include <tus/async.h>
#include <tus/deadline.h>
#include <tus/message.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tus::net {

enum class Overlong : std::uint8_t {
  is_error,
  is_cut,  // for callers to whom the status says enough
};

struct HttpRequest {
  HttpRequest() = default;

  std::string method = "GET";
  // http or https, and a path that is sent as it is here, dots and all; a name and a password
  // in it become Basic authentication
  std::string url;
  Fields fields;  // without Content-Length; a name or value that could end its line fails the call
  std::string body;
  // The body instead, without a copy of it: what they point to stays until the call has returned.
  std::vector<std::span<const std::byte>> pieces;
  // Given up when for that long nothing could be sent and nothing came; 0: only by the deadline. It is
  // noticed a quarter later at the most. Time that a call waits for a free connection does not count.
  std::chrono::seconds stall{0};
  std::size_t reply_limit = std::size_t{1} << 20;  // bytes of the reply's body that are held
  Overlong overlong = Overlong::is_error;
  // How often to go where the server points to. 301 and 302 turn a POST into a GET, 303 any method, 307
  // and 308 none, as browsers and Go have it; another host is not sent Authorization and Cookie.
  int max_redirects = 0;
};

struct HttpReply {
  HttpReply() = default;

  int status = 0;
  Fields fields;
  std::string body;
  bool cut = false;  // the body was longer than the limit, see Overlong
};

struct HttpHead {
  HttpHead() = default;

  int status = 0;
  Fields fields;
};

struct TlsOptions {
  TlsOptions() = default;

  bool skip_verify = false;  // whoever answers is believed
  std::string ca_file;       // PEM; empty: the CAs of the system
};

// Which proxies to go through. Nothing by default: the environment of a process is nobody's decision.
struct HttpProxies {
  HttpProxies() = default;

  std::string http;     // URL of the proxy for http:// URLs; empty: none
  std::string https;    // the same for https://
  std::string without;  // hosts to be reached directly, separated by commas; "*": all

  // What Go's http.DefaultTransport does, which tusd's hooks use: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or
  // else the same in lower case; the host itself is never reached through a proxy. `get` is ::getenv.
  static HttpProxies from_environment(const char* (*get)(const char* name));
};

struct HttpClientOptions {
  HttpClientOptions() = default;

  TlsOptions tls;
  HttpProxies proxies;
  long connections_per_host = 64;  // calls beyond it wait for one
  long connections = 256;          // to all hosts
  long idle_connections = 16;      // of which this many are kept while nobody needs them
};

// A call whose bodies are not held: its request is written, its reply read, piece by piece, and no faster than
// the other side goes. For one coroutine; it may be given up at any time.
//
// Errors are those of HttpClient::send(); after one the call is over.
class HttpCall {
 public:
  HttpCall(std::shared_ptr<class CurlLoop> loop, std::shared_ptr<class CurlTransfer> transfer,
           std::shared_ptr<class CallFlow> flow);
  // Ends the transfer if it still runs.
  ~HttpCall();
  HttpCall(const HttpCall&) = delete;
  HttpCall& operator=(const HttpCall&) = delete;

  // More of the request's body. Returns when the bytes may go. An error also when the reply came first, as a
  // refusal does; head() tells it then.
  Awaitable<Status> write(std::span<const std::byte> bytes, Deadline deadline);
  Awaitable<Result<HttpHead>> head(Deadline deadline);
  // Up to into.size() bytes of the reply's body, after head(); 0 at its end.
  Awaitable<Result<std::size_t>> read(std::span<std::byte> into, Deadline deadline);

 private:
  std::shared_ptr<class CurlLoop> loop_;
  std::shared_ptr<class CurlTransfer> transfer_;
  std::shared_ptr<class CallFlow> flow_;
};

// HTTP/1.1 over connections that are kept and used again. libcurl's multi interface on an executor: no
// thread of ours, and no call blocks; names are resolved by threads of curl's.
//
// The executor's loop outlives the client, and runs until close() has returned. Calls may come from any
// serial executor, concurrently, and resume there. SIGPIPE need not be ignored.
class HttpClient {
 public:
  HttpClient(const asio::any_io_executor& executor, HttpClientOptions options);
  // After close(). Calls that somebody still waits for end with their deadline.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Every status is a reply. Errors: `store_unavailable` when there was none, and another attempt may help,
  // its detail begins with what went wrong ("cannot connect", "TLS", "timeout", "connection lost", "not
  // HTTP", "too large"); `server_shutdown` after close(); `internal` when the request itself is unfit.
  //
  // A kept connection that turns out to be dead before anything of a reply has come is replaced, and the
  // request is sent again, whatever its method: the server may see a request twice.
  //
  // A caller that is cancelled ends the transfer.
  Awaitable<Result<HttpReply>> send(HttpRequest request, Deadline deadline);

  // The same for bodies that are not held. `body_size`: of what will be written; nothing: the request has no body
  // but its own. What the request says of limits, stalls and redirects does not count.
  //
  // Sent once: what was written cannot be sent again.
  std::unique_ptr<HttpCall> open(HttpRequest request, std::optional<std::uint64_t> body_size);

  // New calls fail; those that run have until the deadline. Returns when none is left and all connections
  // are closed. Once.
  Awaitable<void> close(Deadline deadline);

 private:
  std::shared_ptr<class CurlLoop> loop_;
};

}  // namespace tus::net
