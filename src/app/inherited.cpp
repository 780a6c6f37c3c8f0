#include "app/inherited.h"

#include "app/flag_values.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace tus::app {

namespace {

constexpr int first_fd = 3;
constexpr unsigned most_sockets = 64;

std::string_view text(const char* value) { return value == nullptr ? "" : value; }

struct Handover {
  int fd;
  std::size_t sockets;
};

std::optional<Handover> parse_handover(std::string_view value) {
  const auto colon = value.find(':');
  if (colon == value.npos) return std::nullopt;
  const auto fd = parse_number(value.substr(0, colon));
  const auto sockets = parse_number(value.substr(colon + 1));
  if (!fd || !sockets || *fd > most_sockets + first_fd || *sockets > most_sockets) {
    return std::nullopt;
  }
  return Handover{static_cast<int>(*fd), static_cast<std::size_t>(*sockets)};
}

}  // namespace

Inherited read_inherited(GetVariable get, long own_pid) {
  Inherited found;
  found.notify_socket = text(get("NOTIFY_SOCKET"));
  const auto pid = text(get("LISTEN_PID"));
  // Meant for a process that started us and did not clean up: not an error.
  if (pid != std::to_string(own_pid)) return found;
  const auto count = parse_number(text(get("LISTEN_FDS")));
  if (!count || *count > most_sockets) {
    found.complaint = "LISTEN_FDS must be a number of sockets up to 64, not \"" +
                      std::string(text(get("LISTEN_FDS"))) + "\"";
    return found;
  }
  const auto handover = parse_handover(text(get("TUS_HANDOVER")));
  if (handover) found.handover = handover->fd;
  const std::size_t ours = handover ? std::min<std::size_t>(handover->sockets, *count) : 0;
  for (std::size_t i = 0; i < *count; ++i) {
    auto& list = i < *count - ours ? found.from_manager : found.from_predecessor;
    list.push_back(first_fd + static_cast<int>(i));
  }
  return found;
}

Inherited take_inherited() {
  const GetVariable get = [](const char* name) -> const char* {
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): there are no threads yet
  };
  auto found = read_inherited(get, ::getpid());
  for (const char* name : inherited_variables) {
    ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe)
  }
  for (const auto* list : {&found.from_manager, &found.from_predecessor}) {
    for (const int fd : *list) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  if (found.handover) ::fcntl(*found.handover, F_SETFD, FD_CLOEXEC);
  return found;
}

}  // namespace tus::app
