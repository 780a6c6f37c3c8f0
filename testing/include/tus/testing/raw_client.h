// A blocking HTTP/1.1 client for tests that have to choose every byte.
#pragma once

#include <tus/message.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

TUS_NAMESPACE_BEGIN

namespace testing {

// The server closed or reset the connection, sent nothing in time, or sent what is not HTTP.
class RawClientError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct RawResponse {
  RawResponse() = default;

  int status = 0;
  std::string version;  // "HTTP/1.1"
  Fields fields;
  std::string body;

  // The value of a field, empty when it is not there.
  std::string field(std::string_view name) const {
    const auto* value = fields.find(name);
    return value != nullptr ? *value : std::string();
  }
};

// One connection. For one thread that may block, so never for one of the server's loops.
class RawClient {
 public:
  // Connects to 127.0.0.1. `timeout` bounds every single call below. Throws RawClientError.
  explicit RawClient(std::uint16_t port,
                     std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // Connects to a Unix socket.
  explicit RawClient(const std::string& path,
                     std::chrono::milliseconds timeout = std::chrono::seconds(10));
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  // Sends all of it. Throws when the peer does not take it.
  void send(std::string_view bytes);
  // Sends what the peer takes; false when the connection broke or nothing moved for the timeout.
  bool try_send(std::string_view bytes);

  // The next response head with its body, be it interim (1xx, never a body) or final. `method` is the
  // one of the request: the answer to HEAD has no body.
  RawResponse read_any(std::string_view method);
  // The next final response; interim ones are skipped.
  RawResponse read_response(std::string_view method);
  // Request and final response.
  RawResponse request(std::string_view method, std::string_view bytes);

  // Whether the peer ends the connection, without another byte, within the timeout.
  bool closed_by_peer();
  // Whether bytes (or an end) are here within `wait`.
  bool readable(std::chrono::milliseconds wait);
  // Everything until the peer ends the connection.
  std::string read_to_end();

  void shutdown_write();  // FIN; answers can still be read
  void close();
  void reset();  // ends the connection with a RST

  int fd() const noexcept { return fd_; }

 private:
  std::string read_head();
  void read_body(RawResponse& response, std::string_view method);
  void read_chunked(RawResponse& response);
  std::string take(std::size_t count);
  std::string take_line();
  // False at the end of the stream.
  bool fill();

  int fd_ = -1;
  std::chrono::milliseconds timeout_;
  std::string buffer_;
};

}  // namespace testing

TUS_NAMESPACE_END
