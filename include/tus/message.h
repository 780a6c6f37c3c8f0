// Requests and responses as plain values: no socket, no HTTP version, no Asio.
#pragma once

#include <tus/error.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

TUS_NAMESPACE_BEGIN

struct Field {
  std::string name;
  std::string value;
};

// Header fields in order of arrival. Names are compared without regard to case.
class TUS_EXPORT Fields {
 public:
  Fields() = default;

  void add(std::string name, std::string value) {
    list_.push_back({std::move(name), std::move(value)});
  }
  void set(std::string_view name, std::string value);
  void remove(std::string_view name);
  // The first value, or nullptr. Valid until the fields change.
  const std::string* find(std::string_view name) const noexcept;
  std::size_t count(std::string_view name) const noexcept;

  auto begin() const noexcept { return list_.begin(); }
  auto end() const noexcept { return list_.end(); }
  std::size_t size() const noexcept { return list_.size(); }
  void reserve(std::size_t n) { list_.reserve(n); }

 private:
  std::vector<Field> list_;
};

struct RequestHead {
  RequestHead() = default;

  std::string method;  // as sent; X-HTTP-Method-Override is applied by the protocol
  std::string target;  // as sent: path and query, percent-encoded
  std::string scheme = "http";
  std::string host;            // Host or :authority as sent, syntactically valid
  std::string remote_address;  // "127.0.0.1:5432", or what a trusted proxy says; empty when unknown
  std::string peer_address;    // who the connection is with, a proxy or not; empty when unknown
  std::string request_id;      // X-Request-ID or one of ours
  Fields fields;
  bool has_body = false;                        // framing announces a body
  std::optional<std::uint64_t> content_length;  // bytes; nothing for chunked
};

struct Response {
  Response() = default;
  explicit Response(int s) : status(s) {}

  int status = 200;
  Fields fields;  // Date, Content-Length and Connection are the server's business
  std::string body;
  std::optional<ErrorCode> error;  // what it reports, for logs and metrics
};

TUS_NAMESPACE_END
