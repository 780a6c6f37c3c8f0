#include "server/listening_socket.h"

#include "server/socket_address.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <vector>

namespace tus::server {

namespace {

constexpr int backlog = 4096;

std::unexpected<Error> refuse(std::string sentence) {
  return fail(ErrorCode::store_unavailable, std::move(sentence));
}

void set_option(int fd, int level, int name, int value) noexcept {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

// ---- TCP

using Found = std::unique_ptr<addrinfo, decltype([](addrinfo* list) { ::freeaddrinfo(list); })>;

// An error is a name that has no address.
Found resolve(const std::string& host, std::uint16_t port, int& error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  return Found(list);
}

// The errno, or 0 and a socket in `out`.
int bind_tcp(const addrinfo& where, ListeningSocket& out) {
  ListeningSocket made(
      ::socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (made.fd() < 0) return errno;
  set_option(made.fd(), SOL_SOCKET, SO_REUSEADDR, 1);
  // A server on all IPv6 addresses is one on all IPv4 addresses too, as Go's is.
  if (where.ai_family == AF_INET6) set_option(made.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  // Accepted sockets inherit it.
  set_option(made.fd(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (::bind(made.fd(), where.ai_addr, where.ai_addrlen) != 0) return errno;
  if (::listen(made.fd(), backlog) != 0) return errno;
  out = std::move(made);
  return 0;
}

std::string advice_for(int error, std::uint16_t port) {
  if (error == EADDRINUSE) {
    return "another program uses this port: stop it, or choose another one with -port";
  }
  if (error == EACCES && port < 1024) {
    return "ports below 1024 need the capability CAP_NET_BIND_SERVICE: choose another one with "
           "-port, or let systemd open the socket";
  }
  if (error == EADDRNOTAVAIL) {
    return "this machine does not have that address: choose another one with -host";
  }
  return std::strerror(error);
}

bool is_everywhere(const std::string& host) { return host.empty() || host == "0.0.0.0"; }

std::string without_brackets(const std::string& host) {
  const bool has = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
  return has ? host.substr(1, host.size() - 2) : host;
}

// ---- Unix

// Makes two servers that start at once take turns. Where that is not possible (a directory that cannot be
// opened, somebody who keeps the lock) they go on without.
class DirectoryTurn {
 public:
  explicit DirectoryTurn(const std::string& file) {
    auto directory = std::filesystem::path(file).parent_path();
    if (directory.empty()) directory = ".";
    fd_ = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    constexpr int attempts = 100;
    constexpr timespec pause{0, 20'000'000};
    for (int i = 0; i < attempts && fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) != 0; ++i) {
      ::nanosleep(&pause, nullptr);
    }
  }
  ~DirectoryTurn() {
    if (fd_ >= 0) ::close(fd_);
  }
  DirectoryTurn(const DirectoryTurn&) = delete;
  DirectoryTurn& operator=(const DirectoryTurn&) = delete;

 private:
  int fd_ = -1;
};

bool fill(sockaddr_un& address, const std::string& path) noexcept {
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return true;
}

const sockaddr* generic(const sockaddr_un& address) noexcept {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Whether somebody answers at this address, or might: only a refusal says that nobody does.
bool is_lived_in(const sockaddr_un& address) noexcept {
  const ListeningSocket caller(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (caller.fd() < 0) return true;
  if (::connect(caller.fd(), generic(address), sizeof address) == 0) return true;
  return errno != ECONNREFUSED && errno != ENOENT;
}

Status make_room(const std::string& path, const sockaddr_un& address) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) return {};  // bind says what else is wrong
  if (!S_ISSOCK(found.st_mode)) {
    return refuse("cannot listen on the socket " + path +
                  ": there is a file of another kind in its place; remove it, or choose another "
                  "path with -unix-sock");
  }
  if (is_lived_in(address)) {
    return refuse("cannot listen on the socket " + path +
                  ": another server listens on it; stop it, or choose another path with "
                  "-unix-sock");
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return refuse("cannot remove the stale socket " + path + ": " + std::strerror(errno));
  }
  return {};
}

}  // namespace

ListeningSocket::~ListeningSocket() {
  if (fd_ >= 0) ::close(fd_);
}

Result<ListeningSocket> listen_on_tcp(const std::string& host, std::uint16_t port) {
  const bool everywhere = is_everywhere(host);
  const auto name = everywhere ? "::" : without_brackets(host);
  const auto begin = "cannot listen on " + host + ":" + std::to_string(port) + ": ";
  int unknown = 0;
  auto found = resolve(name, port, unknown);
  if (everywhere && unknown != 0) found = resolve("0.0.0.0", port, unknown);
  if (unknown != 0 || !found) {
    return refuse(begin + "the name or address is not known (" + ::gai_strerror(unknown) +
                  "); look at -host");
  }
  std::vector<const addrinfo*> wanted;
  for (const auto* at = found.get(); at != nullptr; at = at->ai_next) {
    // IPv4 first, as Go's listener prefers it.
    wanted.insert(at->ai_family == AF_INET ? wanted.begin() : wanted.end(), at);
  }
  ListeningSocket made(-1);
  int error = EADDRNOTAVAIL;
  for (const auto* at : wanted) {
    error = bind_tcp(*at, made);
    if (error == 0) return made;
  }
  // Machines without IPv6.
  if (everywhere && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {
    found = resolve("0.0.0.0", port, unknown);
    if (found) error = bind_tcp(*found, made);
    if (error == 0) return made;
  }
  return refuse(begin + advice_for(error, port));
}

Result<ListeningSocket> listen_on_unix(const std::string& path, std::optional<unsigned> perms) {
  sockaddr_un address{};
  if (!fill(address, path)) {
    return refuse("cannot listen on the socket " + path +
                  ": the path of a socket has at most 107 bytes; choose a shorter one with "
                  "-unix-sock");
  }
  const auto begin = "cannot listen on the socket " + path + ": ";
  const DirectoryTurn turn(path);
  if (auto room = make_room(path, address); !room) return fail(std::move(room.error()));
  ListeningSocket made(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (made.fd() < 0) return refuse(begin + std::strerror(errno));
  if (::bind(made.fd(), generic(address), sizeof address) != 0) {
    const bool no_directory = errno == ENOENT;
    return refuse(begin + (no_directory ? "its directory does not exist; make it first"
                                        : std::strerror(errno)));
  }
  // Nobody can connect before listen(), so nobody sees the mode that the umask left.
  if (perms && ::chmod(path.c_str(), *perms) != 0) return refuse(begin + std::strerror(errno));
  if (::listen(made.fd(), backlog) != 0) return refuse(begin + std::strerror(errno));
  return made;
}

Result<ListeningSocket> adopt_listening_socket(int fd) {
  ListeningSocket adopted(fd);
  const auto begin = "descriptor " + std::to_string(fd) + " was handed over for listening, but ";
  int type = 0;
  int listening = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return refuse(begin + "it is no socket (" + std::strerror(errno) + ")");
  }
  size = sizeof listening;
  ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
  if (type != SOCK_STREAM || listening == 0) {
    return refuse(begin +
                  "it is no stream socket that listens; use ListenStream= and Accept=no in the "
                  "socket unit");
  }
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return refuse(begin + std::strerror(errno));
  }
  if (!is_unix_socket(fd)) set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  return adopted;
}

std::uint16_t port_of(int fd) noexcept { return local_address(fd).port(); }

bool is_unix_socket(int fd) noexcept { return local_address(fd).family() == AF_UNIX; }

std::string address_of(int fd) {
  const auto address = local_address(fd);
  const auto text = address.text();
  if (!text.starts_with("[::]:")) return text;
  int v6_only = 0;
  socklen_t size = sizeof v6_only;
  ::getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &size);
  return v6_only != 0 ? text : "0.0.0.0:" + std::to_string(address.port());
}

bool is_bound_to(int fd, const std::string& host, std::uint16_t port) {
  const auto bound = local_address(fd);
  if (bound.family() != AF_INET && bound.family() != AF_INET6) return false;
  if (port != 0 && bound.port() != port) return false;
  const auto text = bound.text();
  if (is_everywhere(host) && text.starts_with("[::]:")) return true;
  int unknown = 0;
  const auto found = resolve(without_brackets(host), bound.port(), unknown);
  for (const auto* at = found.get(); unknown == 0 && at != nullptr; at = at->ai_next) {
    SocketAddress address;
    std::memcpy(address.data(), at->ai_addr, at->ai_addrlen);
    address.size() = at->ai_addrlen;
    if (address.text() == text) return true;
  }
  return false;
}

// ---- the file of a Unix socket

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat found{};
  known_ = ::lstat(path_.c_str(), &found) == 0 && S_ISSOCK(found.st_mode);
  device_ = found.st_dev;
  inode_ = found.st_ino;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::move(other.path_)),
      known_(std::exchange(other.known_, false)),
      device_(other.device_),
      inode_(other.inode_) {}

SocketFile::~SocketFile() {
  if (!known_) return;
  try {
    const DirectoryTurn turn(path_);
    struct stat found{};
    if (::lstat(path_.c_str(), &found) != 0) return;
    if (found.st_dev == device_ && found.st_ino == inode_) ::unlink(path_.c_str());
  } catch (...) {
    // Out of memory: a stale socket is removed by the next start.
  }
}

}  // namespace tus::server
