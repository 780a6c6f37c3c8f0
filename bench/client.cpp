#include "bench/client.h"

#include "bench/body_memory.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {
namespace {

constexpr int timeout_seconds = 60;

Failure system_failure(const char* what) {
  return Failure(std::string(what) + ": " + std::strerror(errno));
}

void set_option(int fd, int level, int name, const void* value, socklen_t size) {
  if (setsockopt(fd, level, name, value, size) != 0) throw system_failure("setsockopt");
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Empty when the field is not there.
std::string_view field(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    const auto line = head.substr(0, end);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && same_name(line.substr(0, colon), name)) {
      auto value = line.substr(colon + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      return value;
    }
    if (end == std::string_view::npos) break;
    head.remove_prefix(end + 2);
  }
  return {};
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string path_of(std::string_view location) {
  const auto scheme = location.find("://");
  if (scheme == std::string_view::npos) return std::string(location);
  const auto slash = location.find('/', scheme + 3);
  return std::string(slash == std::string_view::npos ? "/" : location.substr(slash));
}

Response parse_response(std::string_view head) {
  Response response;
  if (!head.starts_with("HTTP/1.") || head.size() < 12) throw Failure("not an HTTP answer");
  response.status = static_cast<int>(number(head.substr(9, 3)).value_or(0));
  response.location = path_of(field(head, "Location"));
  response.offset = number(field(head, "Upload-Offset"));
  response.close = same_name(field(head, "Connection"), "close");
  return response;
}

std::string request(const Target& target, std::string_view method, std::string_view path) {
  std::string head;
  head.reserve(256);
  head.append(method).append(" ").append(path).append(" HTTP/1.1\r\nHost: ");
  head.append(target.host).append(":").append(std::to_string(target.port));
  head.append("\r\nTus-Resumable: 1.0.0\r\n");
  return head;
}

}  // namespace

Target parse_target(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme)) throw std::invalid_argument("the URL must start with http://");
  url.remove_prefix(scheme.size());
  const auto slash = url.find('/');
  const auto authority = url.substr(0, slash);
  const auto colon = authority.find(':');
  Target target;
  target.host = authority.substr(0, colon);
  target.path = slash == std::string_view::npos ? "/" : std::string(url.substr(slash));
  const auto port = colon == std::string_view::npos ? 80 : number(authority.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) throw std::invalid_argument("bad port in the URL");
  target.port = static_cast<std::uint16_t>(*port);
  return target;
}

Connection::Connection(const Target& target) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (fd_ < 0) throw system_failure("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target.port);
  if (inet_pton(AF_INET, target.host.c_str(), &address.sin_addr) != 1) {
    throw std::invalid_argument("the host must be an IPv4 address");
  }
  const int one = 1;
  const timeval limit{timeout_seconds, 0};
  set_option(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  set_option(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  set_option(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const auto failure = system_failure("connect");
    close(fd_);
    throw failure;
  }
}

Connection::~Connection() { close(fd_); }

void Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) throw system_failure("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Connection::send_head(std::string_view head) {
  const auto sent = ::send(fd_, head.data(), head.size(), MSG_NOSIGNAL | MSG_MORE);
  if (sent != static_cast<ssize_t>(head.size())) throw system_failure("send");
}

void Connection::send_body(const BodyMemory& body, std::uint64_t at, std::uint64_t size) {
  while (size > 0) {
    const auto sent = body.send_to(fd_, at, size);
    if (sent == 0) throw system_failure("sendfile");
    at += sent;
    size -= sent;
  }
}

Response Connection::receive(Answer kind) {
  for (;;) {
    const auto end = buffer_.find("\r\n\r\n");
    if (end == std::string::npos) {
      fill();
      continue;
    }
    const std::string head = buffer_.substr(0, end);
    buffer_.erase(0, end + 4);
    auto response = parse_response(head);
    if (response.status >= 100 && response.status < 200) continue;
    if (kind == Answer::with_body && response.status != 204) skip_body(head);
    return response;
  }
}

void Connection::skip_body(std::string_view head) {
  const auto length = number(field(head, "Content-Length"));
  if (!length) throw Failure("an answer without Content-Length");
  while (buffer_.size() < *length) fill();
  buffer_.erase(0, *length);
}

void Connection::fill() {
  std::array<char, 4096> chunk;
  const auto got = recv(fd_, chunk.data(), chunk.size(), 0);
  if (got == 0) throw Failure("the server closed the connection");
  if (got < 0) throw system_failure("recv");
  buffer_.append(chunk.data(), static_cast<std::size_t>(got));
}

bool Connection::has_news() const {
  pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, 0) != 0;
}

std::string create_head(const Target& target, std::uint64_t length, std::uint64_t body) {
  auto head = request(target, "POST", target.path);
  head.append("Upload-Length: ").append(std::to_string(length)).append("\r\n");
  if (body > 0) head.append("Content-Type: application/offset+octet-stream\r\n");
  head.append("Content-Length: ").append(std::to_string(body)).append("\r\n\r\n");
  return head;
}

std::string patch_head(const Target& target, const std::string& path, std::uint64_t offset,
                       std::uint64_t body) {
  auto head = request(target, "PATCH", path);
  head.append("Content-Type: application/offset+octet-stream\r\n");
  head.append("Upload-Offset: ").append(std::to_string(offset)).append("\r\n");
  head.append("Content-Length: ").append(std::to_string(body)).append("\r\n\r\n");
  return head;
}

std::string head_head(const Target& target, const std::string& path) {
  return request(target, "HEAD", path) + "\r\n";
}

}  // namespace bench
