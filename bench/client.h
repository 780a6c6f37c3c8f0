// The least an HTTP/1.1 client needs to load a tus server, on blocking sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bench {

class BodyMemory;

// A request that did not go as a healthy server lets it go; the run counts it and goes on.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Target {
  std::string host;  // an IPv4 address
  std::uint16_t port = 0;
  std::string path;  // where uploads are created, such as /files/
};

// From http://127.0.0.1:1080/files/
Target parse_target(std::string_view url);

struct Response {
  int status = 0;
  std::string location;  // only the path, whatever the server sent
  std::optional<std::uint64_t> offset;
  bool close = false;
};

enum class Answer : std::uint8_t { with_body, to_head };

class Connection {
 public:
  explicit Connection(const Target& target);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(std::string_view bytes);
  // Sent together with what follows, so that a small request is one segment as with any real client.
  void send_head(std::string_view head);
  void send_body(const BodyMemory& body, std::uint64_t at, std::uint64_t size);
  Response receive(Answer kind);
  // Whether the server has answered or closed, without waiting.
  bool has_news() const;

 private:
  void fill();
  void skip_body(std::string_view head);

  int fd_ = -1;
  std::string buffer_;
};

// Request heads, complete with the empty line.
std::string create_head(const Target& target, std::uint64_t length, std::uint64_t body);
std::string patch_head(const Target& target, const std::string& path, std::uint64_t offset,
                       std::uint64_t body);
std::string head_head(const Target& target, const std::string& path);

}  // namespace bench
