// An S3 that costs next to nothing: it takes what is sent, drops the bytes, and answers as S3 would. It checks neither
// signatures nor sums. What a server spends on its way to it is what the server itself costs.
#include "bench/null_objects.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::size_t room = 128 << 10;  // for a head, and the beginning of a body
constexpr std::size_t dropped_at_once = 4 << 20;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// One thread and one plain loop a connection.
class Loop {
 public:
  Loop(int socket, bench::NullObjects& objects)
      : socket_(socket), objects_(objects), buffer_(room), zeros_(room, 0) {
    const int one = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  ~Loop() { close(socket_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run() {
    while (one_request()) {
    }
  }

 private:
  bool one_request();
  bool read_head();
  bool take_body(bench::S3Request& request, std::uint64_t length);
  bool drop(std::uint64_t count);
  bool send_all(std::string_view bytes);
  bool answer(const bench::S3Request& request, const bench::S3Reply& reply);

  int socket_;
  bench::NullObjects& objects_;
  std::vector<char> buffer_;
  std::vector<char> zeros_;
  std::size_t have_ = 0;
  std::size_t head_size_ = 0;
};

bool Loop::one_request() {
  if (!read_head()) return false;
  const std::string head(buffer_.data(), head_size_);
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(head_size_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(have_), buffer_.begin());
  have_ -= head_size_;
  auto request = bench::parse_request(head);
  const auto text = request.field("content-length").value_or("0");
  std::uint64_t length = 0;
  std::from_chars(text.data(), text.data() + text.size(), length);
  if (request.field("expect") && !send_all("HTTP/1.1 100 Continue\r\n\r\n")) return false;
  return take_body(request, length) && answer(request, objects_.handle(request));
}

bool Loop::read_head() {
  for (;;) {
    const auto end = std::string_view(buffer_.data(), have_).find("\r\n\r\n");
    if (end != std::string_view::npos) {
      head_size_ = end + 4;
      return true;
    }
    if (have_ == room) return false;
    const auto got = recv(socket_, buffer_.data() + have_, room - have_, 0);
    if (got <= 0) return false;
    have_ += static_cast<std::size_t>(got);
  }
}

// Keeps the body of a request that is small, when there are no signatures of chunks in it.
bool Loop::take_body(bench::S3Request& request, std::uint64_t length) {
  if (length > bench::kept_object || length != request.size) {
    const auto early = std::min<std::uint64_t>(have_, length);
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(early),
              buffer_.begin() + static_cast<std::ptrdiff_t>(have_), buffer_.begin());
    have_ -= static_cast<std::size_t>(early);
    return drop(length - early);
  }
  while (have_ < length) {
    const auto got = recv(socket_, buffer_.data() + have_, length - have_, 0);
    if (got <= 0) return false;
    have_ += static_cast<std::size_t>(got);
  }
  request.body.assign(buffer_.data(), length);
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(length),
            buffer_.begin() + static_cast<std::ptrdiff_t>(have_), buffer_.begin());
  have_ -= length;
  return true;
}

// TCP forgets the bytes without giving them to anybody.
bool Loop::drop(std::uint64_t count) {
  while (count > 0) {
    const auto got =
        recv(socket_, nullptr, std::min<std::uint64_t>(count, dropped_at_once), MSG_TRUNC);
    if (got <= 0) return false;
    count -= static_cast<std::uint64_t>(got);
  }
  return true;
}

bool Loop::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Loop::answer(const bench::S3Request& request, const bench::S3Reply& reply) {
  const auto size = reply.body.size() + reply.zeros;
  auto out = "HTTP/1.1 " + std::to_string(reply.status) + " Null\r\n" + reply.fields +
             "x-amz-request-id: null\r\n";
  if (reply.status != 204 && reply.status != 304) {
    out += "Content-Length: " + std::to_string(size) + "\r\n";
  }
  out += "\r\n";
  if (request.method == "HEAD") return send_all(out);
  if (!send_all(out + reply.body)) return false;
  for (auto left = reply.zeros; left > 0;) {
    const auto count = std::min<std::uint64_t>(left, zeros_.size());
    if (!send_all({zeros_.data(), static_cast<std::size_t>(count)})) return false;
    left -= count;
  }
  return true;
}

int listen_anywhere() {
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(socket_fd, generic, size) != 0 || listen(socket_fd, 4096) != 0 ||
      getsockname(socket_fd, generic, &size) != 0) {
    die("listen");
  }
  std::printf("ready http://127.0.0.1:%d null null\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return socket_fd;
}

}  // namespace

int main() {
  bench::NullObjects objects;
  const int listener = listen_anywhere();
  for (;;) {
    const int socket_fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket_fd < 0) die("accept");
    // The process only ends by a signal, so nothing here outlives what it uses.
    std::thread([socket_fd, &objects] { Loop(socket_fd, objects).run(); }).detach();
  }
}
