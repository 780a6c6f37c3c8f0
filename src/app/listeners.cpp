#include "app/listeners.h"

#include "server/socket_address.h"

#include <algorithm>
#include <filesystem>
#include <unistd.h>
#include <utility>

namespace tus::app {

namespace {

constexpr int attempts_for_any_port = 20;

std::string name_of(const std::string& host, std::uint16_t port) {
  const bool ipv6 = host.contains(':') && !host.starts_with('[');
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::vector<std::string> hosts_of(const Config& config) {
  std::vector<std::string> hosts;
  std::string_view rest = config.host;
  for (;;) {
    const auto comma = rest.find(',');
    hosts.emplace_back(rest.substr(0, comma));
    if (comma == rest.npos) return hosts;
    rest.remove_prefix(comma + 1);
  }
}

template <class Fits>
std::optional<int> take(std::vector<int>& descriptors, const Fits& fits) {
  const auto found = std::ranges::find_if(descriptors, fits);
  if (found == descriptors.end()) return std::nullopt;
  const int fd = *found;
  descriptors.erase(found);
  return fd;
}

}  // namespace

std::expected<Listeners, std::string> Listeners::open(const Config& config, Inherited& inherited) {
  Listeners listeners;
  std::optional<std::string> error;
  auto& old = inherited.from_predecessor;
  if (!inherited.complaint.empty()) {
    error = inherited.complaint;
  } else if (!inherited.from_manager.empty()) {
    error = listeners.adopt(inherited.from_manager);
  } else if (!config.unix_sock.empty()) {
    error = listeners.open_unix(config, old);
  } else {
    // A port that the first address has may be somebody else's on the next one.
    int attempts = config.port == 0 && old.empty() ? attempts_for_any_port : 1;
    do {
      error = listeners.open_addresses(config, old);
    } while (error && --attempts > 0);
  }
  for (const int fd : old) ::close(fd);
  old.clear();
  if (error) return std::unexpected(*std::move(error));
  return listeners;
}

std::optional<std::string> Listeners::adopt(std::vector<int>& descriptors) {
  of_manager_ = true;
  for (const int fd : std::exchange(descriptors, {})) {
    auto socket = server::adopt_listening_socket(fd);
    if (!socket) return socket.error().detail();
    all_.emplace_back(*std::move(socket));
    all_.back().name = server::address_of(fd);
  }
  return std::nullopt;
}

std::optional<std::string> Listeners::open_unix(const Config& config, std::vector<int>& old) {
  const auto& path = config.unix_sock;
  const auto fits_path = [&](int fd) {
    // A socket whose file somebody has removed cannot be reached: a new one is made.
    return server::local_address(fd).text() == path &&
           std::filesystem::is_socket(std::filesystem::symlink_status(path));
  };
  const auto kept = take(old, fits_path);
  auto socket = kept ? server::adopt_listening_socket(*kept)
                     : server::listen_on_unix(path, config.unix_sock_perms);
  if (!socket) return socket.error().detail();
  all_.emplace_back(*std::move(socket));
  all_.back().name = path;
  return std::nullopt;
}

std::optional<std::string> Listeners::open_addresses(const Config& config, std::vector<int>& old) {
  all_.clear();
  auto port = config.port;
  for (const auto& host : hosts_of(config)) {
    if (auto error = open_tcp(host, port, old)) return error;
    // "Any port" is one port for all addresses.
    port = server::port_of(all_.back().socket.fd());
  }
  return std::nullopt;
}

std::optional<std::string> Listeners::open_tcp(const std::string& host, std::uint16_t port,
                                               std::vector<int>& old) {
  const auto kept = take(old, [&](int fd) { return server::is_bound_to(fd, host, port); });
  auto socket = kept ? server::adopt_listening_socket(*kept) : server::listen_on_tcp(host, port);
  if (!socket) return socket.error().detail();
  all_.emplace_back(*std::move(socket));
  all_.back().name = name_of(host, server::port_of(all_.back().socket.fd()));
  return std::nullopt;
}

void Listeners::own_files() {
  if (of_manager_) return;
  for (auto& listener : all_) {
    if (server::is_unix_socket(listener.socket.fd())) listener.file.emplace(listener.name);
  }
}

void Listeners::leave_files() noexcept {
  for (auto& listener : all_) {
    if (listener.file) listener.file->leave();
  }
}

void Listeners::close() noexcept { all_.clear(); }

}  // namespace tus::app
