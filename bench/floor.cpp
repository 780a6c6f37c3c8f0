// The floor: the least work that moves uploads from a socket into files on this machine. One thread and
// one plain loop a connection; it understands only what loadgen sends, checks nothing and is no server.
#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

enum class Mode : std::uint8_t { splice, copy, null };

struct Config {
  Mode mode = Mode::splice;
  std::string directory;
};

constexpr std::size_t head_room = 8 << 10;
constexpr std::size_t copy_size = 256 << 10;
constexpr std::size_t pipe_size = 1 << 20;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::uint64_t number_after(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + key.size());
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

class Loop {
 public:
  Loop(int socket, const Config& config, std::atomic<std::uint64_t>& ids)
      : socket_(socket), config_(config), ids_(ids), buffer_(copy_size) {
    const int one = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (pipe2(pipe_, O_CLOEXEC) != 0) die("pipe");
    fcntl(pipe_[1], F_SETPIPE_SZ, pipe_size);
  }
  ~Loop() {
    for (const int fd : {socket_, pipe_[0], pipe_[1]}) close(fd);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run() {
    while (one_request()) {
    }
  }

 private:
  bool one_request();
  bool read_head();
  void create_info(std::uint64_t id);
  int open_data(std::uint64_t id);
  bool store(int file, std::uint64_t size);
  bool splice_rest(int file, std::uint64_t at, std::uint64_t size);
  bool copy_rest(int file, std::uint64_t at, std::uint64_t size);
  bool answer(std::string_view method, std::uint64_t id, std::uint64_t offset);
  std::string_view head() const { return {buffer_.data(), head_size_}; }

  int socket_;
  const Config& config_;
  std::atomic<std::uint64_t>& ids_;
  std::vector<char> buffer_;
  std::size_t have_ = 0;
  std::size_t head_size_ = 0;
  int pipe_[2] = {-1, -1};
};

bool Loop::one_request() {
  if (!read_head()) return false;
  const std::string method(head().substr(0, head().find(' ')));
  const auto body = number_after(head(), "\r\nContent-Length: ");
  auto id = number_after(head(), " /files/");
  int file = -1;
  if (method == "POST") {
    id = ids_.fetch_add(1) + 1;
    create_info(id);
    file = open_data(id);
  } else if (method == "PATCH") {
    file = open_data(id);
  }
  if (body > 0 && !store(file, body)) {
    if (file >= 0) close(file);
    return false;
  }
  if (file >= 0) close(file);
  if (body == 0) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(head_size_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(have_), buffer_.begin());
    have_ -= head_size_;
  }
  return answer(method, id, body);
}

bool Loop::read_head() {
  for (;;) {
    const auto end = std::string_view(buffer_.data(), have_).find("\r\n\r\n");
    if (end != std::string_view::npos) {
      head_size_ = end + 4;
      return true;
    }
    if (have_ >= head_room) return false;
    const auto got = recv(socket_, buffer_.data() + have_, head_room - have_, 0);
    if (got <= 0) return false;
    have_ += static_cast<std::size_t>(got);
  }
}

void Loop::create_info(std::uint64_t id) {
  const auto path = config_.directory + "/" + std::to_string(id) + ".info";
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
  constexpr std::string_view content = R"({"ID":"1"})";
  if (file < 0 || write(file, content.data(), content.size()) < 0) die("write .info");
  close(file);
}

int Loop::open_data(std::uint64_t id) {
  const auto path = config_.directory + "/" + std::to_string(id);
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  if (file < 0) die("open data file");
  return file;
}

// Always from offset 0: loadgen's uploads are one PATCH each when it runs against the floor.
bool Loop::store(int file, std::uint64_t size) {
  const auto early = std::min<std::uint64_t>(have_ - head_size_, size);
  if (early > 0 && config_.mode != Mode::null &&
      pwrite(file, buffer_.data() + head_size_, early, 0) != static_cast<ssize_t>(early)) {
    return false;
  }
  have_ = 0;
  if (config_.mode == Mode::splice) return splice_rest(file, early, size - early);
  return copy_rest(file, early, size - early);
}

bool Loop::splice_rest(int file, std::uint64_t at, std::uint64_t size) {
  while (size > 0) {
    const auto taken = splice(socket_, nullptr, pipe_[1], nullptr,
                              std::min<std::uint64_t>(size, pipe_size), SPLICE_F_MOVE);
    if (taken <= 0) return false;
    auto offset = static_cast<loff_t>(at);
    for (auto left = taken; left > 0;) {
      const auto put =
          splice(pipe_[0], nullptr, file, &offset, static_cast<std::size_t>(left), SPLICE_F_MOVE);
      if (put <= 0) return false;
      left -= put;
    }
    at += static_cast<std::uint64_t>(taken);
    size -= static_cast<std::uint64_t>(taken);
  }
  return true;
}

bool Loop::copy_rest(int file, std::uint64_t at, std::uint64_t size) {
  while (size > 0) {
    const auto got =
        recv(socket_, buffer_.data(), std::min<std::uint64_t>(size, buffer_.size()), 0);
    if (got <= 0) return false;
    if (config_.mode == Mode::copy && pwrite(file, buffer_.data(), static_cast<std::size_t>(got),
                                             static_cast<off_t>(at)) != got) {
      return false;
    }
    at += static_cast<std::uint64_t>(got);
    size -= static_cast<std::uint64_t>(got);
  }
  return true;
}

bool Loop::answer(std::string_view method, std::uint64_t id, std::uint64_t offset) {
  const auto value = std::to_string(offset);
  std::string out;
  if (method == "POST") {
    out = "HTTP/1.1 201 Created\r\nLocation: /files/" + std::to_string(id) +
          "\r\nUpload-Offset: " + value + "\r\nContent-Length: 0\r\n\r\n";
  } else if (method == "PATCH") {
    out = "HTTP/1.1 204 No Content\r\nUpload-Offset: " + value + "\r\n\r\n";
  } else {
    out = "HTTP/1.1 200 OK\r\nUpload-Offset: 0\r\n\r\n";
  }
  return send(socket_, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size());
}

Config parse(int argc, char** argv) {
  Config config;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string_view value = argv[i + 1];
    if (name == "--dir") config.directory = value;
    if (name == "--mode" && value == "copy") config.mode = Mode::copy;
    if (name == "--mode" && value == "null") config.mode = Mode::null;
  }
  if (config.directory.empty()) {
    std::fputs("usage: floor --dir DIR [--mode splice|copy|null]\n", stderr);
    std::exit(2);
  }
  return config;
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
  std::printf("You can now upload files to: http://127.0.0.1:%d/files/\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return socket_fd;
}

}  // namespace

int main(int argc, char** argv) {
  const Config config = parse(argc, argv);
  std::atomic<std::uint64_t> ids{0};
  const int listener = listen_anywhere();
  for (;;) {
    const int socket_fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket_fd < 0) die("accept");
    // The process only ends by a signal, so nothing here outlives what it uses.
    std::thread([socket_fd, &config, &ids] { Loop(socket_fd, config, ids).run(); }).detach();
  }
}
