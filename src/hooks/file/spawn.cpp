#include "hooks/file/spawn.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

// glibc 2.36 forgot to say so for C++.
extern "C" {
#include <sys/pidfd.h>
}

namespace tus::hooks {

namespace {

struct Pipe {
  Fd read;
  Fd write;
};

// Ends above the standard streams, because those are set one after the other: if our own are closed, an end could
// be overwritten before its turn.
bool lift(Fd& fd) {
  if (fd.get() > STDERR_FILENO) return true;
  fd = Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  return static_cast<bool>(fd);
}

bool open_pipe(Pipe& pipe) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  pipe = {Fd(ends[0]), Fd(ends[1])};
  return lift(pipe.read) && lift(pipe.write);
}

bool make_nonblocking(const Fd& fd) {
  return ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK) == 0;
}

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  int prepare(const std::string& directory, int in, int out, int err) {
    const std::array steps{
        ::posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str()),
        ::posix_spawn_file_actions_adddup2(&actions_, in, STDIN_FILENO),
        ::posix_spawn_file_actions_adddup2(&actions_, out, STDOUT_FILENO),
        ::posix_spawn_file_actions_adddup2(&actions_, err, STDERR_FILENO),
        // Also what some library has opened without O_CLOEXEC.
        ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1),
    };
    for (const int step : steps) {
      if (step != 0) return step;
    }
    return 0;
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() {
    ::posix_spawnattr_init(&attributes_);
    sigset_t all;
    sigset_t none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::unexpected<SpawnError> failed(const char* step, int number = errno) {
  return std::unexpected(SpawnError{step, number});
}

void kill_and_reap(pid_t pid) {
  ::kill(-pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
}

}  // namespace

std::expected<Spawned, SpawnError> spawn(const ProgramSpec& spec) {
  Pipe in;
  Pipe out;
  Pipe err;
  if (!open_pipe(in) || !open_pipe(out) || !open_pipe(err)) return failed("pipe2");
  if (!make_nonblocking(in.write) || !make_nonblocking(out.read) || !make_nonblocking(err.read)) {
    return failed("fcntl");
  }
  FileActions actions;
  if (const int error =
          actions.prepare(spec.directory, in.read.get(), out.write.get(), err.write.get())) {
    return failed("posix_spawn", error);
  }
  const Attributes attributes;
  const std::vector<std::string> arguments{spec.path};
  Spawned spawned;
  if (const int error =
          ::posix_spawn(&spawned.pid, spec.path.c_str(), actions.get(), attributes.get(),
                        pointers_to(arguments).data(), pointers_to(spec.environment).data())) {
    return failed("posix_spawn", error);
  }
  spawned.pidfd = Fd(::pidfd_open(spawned.pid, 0));
  if (!spawned.pidfd) {
    const int number = errno;
    kill_and_reap(spawned.pid);
    return failed("pidfd_open", number);
  }
  spawned.in = std::move(in.write);
  spawned.in_reader = std::move(in.read);
  spawned.out = std::move(out.read);
  spawned.err = std::move(err.read);
  return spawned;
}

}  // namespace tus::hooks
