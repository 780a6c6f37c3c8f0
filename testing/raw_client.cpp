#include <tus/testing/raw_client.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

[[noreturn]] void raise(const std::string& what) { throw RawClientError(what); }

[[noreturn]] void raise_errno(const std::string& what) {
  raise(what + ": " + std::strerror(errno));
}

bool wait_for(int fd, short events, std::chrono::milliseconds timeout) {
  pollfd entry{fd, events, 0};
  const int ready = ::poll(&entry, 1, static_cast<int>(timeout.count()));
  if (ready < 0) raise_errno("poll");
  return ready > 0;
}

std::size_t number(std::string_view text, int base) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) {
    raise("not a number: " + std::string(text));
  }
  return value;
}

void add_field(Fields& fields, std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) raise("not a field: " + std::string(line));
  auto value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  fields.add(std::string(line.substr(0, colon)), std::string(value));
}

RawResponse parse_head(std::string_view head) {
  RawResponse response;
  const auto line_end = head.find("\r\n");
  const auto line = head.substr(0, line_end);
  if (!line.starts_with("HTTP/1.") || line.size() < 13 || line[8] != ' ' || line[12] != ' ') {
    raise("not a status line: " + std::string(line));
  }
  response.version = line.substr(0, 8);
  response.status = static_cast<int>(number(line.substr(9, 3), 10));
  auto rest = head.substr(line_end + 2);
  while (!rest.empty()) {
    const auto end = rest.find("\r\n");
    add_field(response.fields, rest.substr(0, end));
    rest.remove_prefix(end + 2);
  }
  return response;
}

}  // namespace

RawClient::RawClient(std::uint16_t port, std::chrono::milliseconds timeout) : timeout_(timeout) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) raise_errno("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr generic{};
  static_assert(sizeof generic == sizeof address);
  std::memcpy(&generic, &address, sizeof address);
  if (::connect(fd_, &generic, sizeof generic) != 0) {
    const int error = errno;
    close();
    raise("connect: " + std::string(std::strerror(error)));
  }
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

RawClient::RawClient(const std::string& path, std::chrono::milliseconds timeout)
    : timeout_(timeout) {
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) raise_errno("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    close();
    raise("connect: " + std::string(std::strerror(error)));
  }
}

RawClient::~RawClient() { close(); }

RawClient::RawClient(RawClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      timeout_(other.timeout_),
      buffer_(std::move(other.buffer_)) {}

void RawClient::send(std::string_view bytes) {
  if (!try_send(bytes)) raise("the peer takes no more bytes");
}

bool RawClient::try_send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!wait_for(fd_, POLLOUT, timeout_)) return false;
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

RawResponse RawClient::read_any(std::string_view method) {
  RawResponse response = parse_head(read_head());
  read_body(response, method);
  return response;
}

RawResponse RawClient::read_response(std::string_view method) {
  while (true) {
    RawResponse response = read_any(method);
    if (response.status >= 200) return response;
  }
}

RawResponse RawClient::request(std::string_view method, std::string_view bytes) {
  send(bytes);
  return read_response(method);
}

bool RawClient::closed_by_peer() {
  if (!buffer_.empty() || !wait_for(fd_, POLLIN, timeout_)) return false;
  char next = 0;
  return ::recv(fd_, &next, 1, MSG_PEEK) <= 0;
}

bool RawClient::readable(std::chrono::milliseconds wait) {
  return !buffer_.empty() || wait_for(fd_, POLLIN, wait);
}

std::string RawClient::read_to_end() {
  while (fill()) {
  }
  return std::exchange(buffer_, {});
}

void RawClient::shutdown_write() { ::shutdown(fd_, SHUT_WR); }

void RawClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawClient::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

std::string RawClient::read_head() {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) raise("end of connection instead of a response; so far: " + buffer_);
  }
  std::string head = take(end + 4);
  head.resize(head.size() - 2);  // keeps the line end of the last field
  return head;
}

void RawClient::read_body(RawResponse& response, std::string_view method) {
  const int status = response.status;
  if (method == "HEAD" || status < 200 || status == 204 || status == 304) return;
  if (response.fields.find("Transfer-Encoding") != nullptr) {
    read_chunked(response);
  } else if (const auto* length = response.fields.find("Content-Length")) {
    response.body = take(number(*length, 10));
  } else {
    response.body = read_to_end();
  }
}

void RawClient::read_chunked(RawResponse& response) {
  while (true) {
    const auto line = take_line();
    const auto size = number(std::string_view(line).substr(0, line.find(';')), 16);
    if (size == 0) break;
    response.body += take(size);
    if (!take_line().empty()) raise("no line end after a chunk");
  }
  while (!take_line().empty()) {
  }
}

std::string RawClient::take(std::size_t count) {
  while (buffer_.size() < count) {
    if (!fill()) raise("end of connection in the middle of a response");
  }
  std::string taken = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return taken;
}

std::string RawClient::take_line() {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!fill()) raise("end of connection in the middle of a line");
  }
  std::string line = take(end + 2);
  line.resize(end);
  return line;
}

bool RawClient::fill() {
  if (!wait_for(fd_, POLLIN, timeout_)) raise("nothing to read in time");
  std::array<char, 65536> block;
  const auto got = ::recv(fd_, block.data(), block.size(), 0);
  if (got < 0) raise_errno("recv");
  buffer_.append(block.data(), static_cast<std::size_t>(got));
  return got > 0;
}

}  // namespace testing

TUS_NAMESPACE_END
