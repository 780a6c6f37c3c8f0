#include "app/handover.h"

#include "app/inherited.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace tus::app {

namespace {

namespace fs = std::filesystem;

constexpr char ready_word = 'R';
constexpr char failure_word = 'E';
constexpr int first_fd = 3;

fs::path found_in_path(const std::string& name) {
  const char* list =
      std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): there are no threads yet
  std::string_view rest = list == nullptr ? "" : list;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    const auto candidate = fs::path(rest.substr(0, end)) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

// Everything that the child needs is made before the fork: between fork and exec of a process with threads
// nothing may be allocated.
struct Launch {
  std::vector<std::string> texts;  // what the pointers below point to
  std::vector<char*> arguments;
  std::vector<char*> environment;
  std::vector<int> descriptors;  // they become 3, 4, ... in this order; the last is the connection
  std::array<char, 32> listen_pid{};
};

bool is_ours(std::string_view variable) {
  return std::ranges::any_of(inherited_variables, [&](std::string_view name) {
    return variable.starts_with(name) && variable.substr(name.size()).starts_with('=');
  });
}

Launch prepare(const Program& program, const ForSuccessor& given, int connection) {
  Launch launch;
  launch.texts = program.arguments;
  const auto argument_count = launch.texts.size();
  for (char** at = environ; *at != nullptr; ++at) {
    if (!is_ours(*at)) launch.texts.emplace_back(*at);
  }
  const auto sockets = given.of_manager.size() + given.ours.size();
  launch.texts.push_back("LISTEN_FDS=" + std::to_string(sockets));
  launch.texts.push_back("TUS_HANDOVER=" + std::to_string(first_fd + sockets) + ":" +
                         std::to_string(given.ours.size()));
  if (!given.notify_socket.empty()) {
    launch.texts.push_back("NOTIFY_SOCKET=" + given.notify_socket);
  }
  for (std::size_t i = 0; i < launch.texts.size(); ++i) {
    auto& list = i < argument_count ? launch.arguments : launch.environment;
    list.push_back(launch.texts[i].data());
  }
  launch.arguments.push_back(nullptr);
  launch.environment.push_back(launch.listen_pid.data());
  launch.environment.push_back(nullptr);
  launch.descriptors = given.of_manager;
  launch.descriptors.insert(launch.descriptors.end(), given.ours.begin(), given.ours.end());
  launch.descriptors.push_back(connection);
  return launch;
}

// ---- in the child: async-signal-safe calls only

[[noreturn]] void fail_in_child(int connection, int error) {
  std::array<char, 16> text{failure_word};
  const auto end = std::to_chars(text.data() + 1, text.data() + text.size(), error).ptr;
  [[maybe_unused]] const auto written =
      ::write(connection, text.data(), static_cast<std::size_t>(end - text.data()));
  ::_exit(127);
}

void close_from(int first) {
  if (::close_range(static_cast<unsigned>(first), ~0u, 0) == 0) return;
  const auto most = static_cast<int>(std::min(::sysconf(_SC_OPEN_MAX), 1L << 20));
  for (int fd = first; fd < most; ++fd) ::close(fd);
}

[[noreturn]] void become(const char* path, Launch& launch) {
  constexpr std::string_view name = "LISTEN_PID=";
  std::memcpy(launch.listen_pid.data(), name.data(), name.size());
  std::to_chars(launch.listen_pid.data() + name.size(),
                launch.listen_pid.data() + launch.listen_pid.size() - 1, ::getpid());
  // Out of the way of each other first.
  const int behind = first_fd + static_cast<int>(launch.descriptors.size());
  const int connection = launch.descriptors.back();
  for (int& fd : launch.descriptors) {
    fd = ::fcntl(fd, F_DUPFD, behind);
    if (fd < 0) fail_in_child(connection, errno);
  }
  int place = first_fd;
  for (const int fd : launch.descriptors) {
    if (::dup2(fd, place++) < 0) fail_in_child(launch.descriptors.back(), errno);
  }
  close_from(behind);
  ::execve(path, launch.arguments.data(), launch.environment.data());
  fail_in_child(behind - 1, errno);
}

}  // namespace

Program this_program(int argc, char** argv) {
  Program program;
  program.arguments.assign(argv, argv + argc);
  std::error_code ignored;
  const auto running = fs::read_symlink("/proc/self/exe", ignored);
  const std::string name = argc > 0 ? argv[0] : "";
  const auto called = name.contains('/') ? fs::path(name) : found_in_path(name);
  const bool same = !called.empty() && fs::equivalent(called, running, ignored);
  program.path = same ? fs::absolute(called, ignored).string() : running.string();
  return program;
}

std::expected<Successor, std::string> Successor::start(const Program& program,
                                                       const ForSuccessor& given) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return std::unexpected("socketpair: " + std::string(std::strerror(errno)));
  }
  auto launch = prepare(program, given, ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) become(program.path.c_str(), launch);
  const int error = errno;
  ::close(ends[1]);
  if (pid < 0) {
    ::close(ends[0]);
    return std::unexpected("fork: " + std::string(std::strerror(error)));
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Successor(pid, ends[0]);
}

Successor::Successor(Successor&& other) noexcept
    : pid_(other.pid_), fd_(std::exchange(other.fd_, -1)), said_(std::move(other.said_)) {}

Successor::~Successor() {
  if (fd_ >= 0) ::close(fd_);
}

Successor::Said Successor::hear() {
  std::array<char, 512> more{};
  for (;;) {
    const auto n = ::read(fd_, more.data(), more.size());
    if (n > 0) {
      said_.append(more.data(), static_cast<std::size_t>(n));
      continue;
    }
    if (said_.starts_with(ready_word)) return Said::ready;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? Said::nothing_yet : Said::failed;
  }
}

std::string Successor::reason() {
  // The connection was closed, which a program that is none of ours may do and live on.
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  std::string said = said_.starts_with(failure_word) ? said_.substr(1) : std::string();
  int error = 0;
  const auto* end = said.data() + said.size();
  const auto [stop, bad] = std::from_chars(said.data(), end, error);
  if (bad == std::errc() && stop == end) {
    return "it could not be executed: " + std::string(std::strerror(error));
  }
  if (!said.empty()) return said;
  if (WIFEXITED(status)) {
    return "it ended with exit code " + std::to_string(WEXITSTATUS(status));
  }
  return "it was ended by signal " + std::to_string(WTERMSIG(status));
}

void Successor::go() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Successor::give_up() noexcept {
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Predecessor::~Predecessor() {
  if (fd_ >= 0) ::close(fd_);
}

Predecessor::Predecessor(Predecessor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

void Predecessor::tell_ready() const noexcept { ::send(fd_, &ready_word, 1, MSG_NOSIGNAL); }

void Predecessor::tell_failure(const std::string& sentence) const noexcept {
  const auto text = failure_word + sentence;
  ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace tus::app
