// Upgrade in place: this process starts its successor and hands it the sockets, or is one itself.
// docs/adr/0014 says why in this order.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tus::app {

// How this process was started.
struct Program {
  Program() = default;

  std::string path;  // absolute; links are kept, so that a link that is turned is followed
  std::vector<std::string> arguments;  // with the name in front
};

// Before the working directory changes.
Program this_program(int argc, char** argv);

struct ForSuccessor {
  ForSuccessor() = default;

  std::vector<int> of_manager;  // listening sockets, as in Inherited
  std::vector<int> ours;
  std::string notify_socket;
};

// A process that was started to take over. Until it says that it is ready, this one has lost nothing.
class Successor {
 public:
  // The error says which system call did not work.
  static std::expected<Successor, std::string> start(const Program& program,
                                                     const ForSuccessor& given);
  ~Successor();
  Successor(Successor&& other) noexcept;
  Successor& operator=(Successor&&) = delete;

  pid_t pid() const noexcept { return pid_; }
  // Readable when there is something to hear().
  int fd() const noexcept { return fd_; }

  enum class Said { nothing_yet, ready, failed };
  Said hear();
  // Why it failed; it has ended then. Waits for a moment for its exit.
  std::string reason();
  // It may use the store and accept clients now. Afterwards it is on its own.
  void go() noexcept;
  // Ends it.
  void give_up() noexcept;

 private:
  Successor(pid_t pid, int fd) : pid_(pid), fd_(fd) {}

  pid_t pid_;
  int fd_;
  std::string said_;
};

// The process that started this one, and still answers clients.
class Predecessor {
 public:
  explicit Predecessor(int fd) : fd_(fd) {}
  ~Predecessor();
  Predecessor(Predecessor&& other) noexcept;
  Predecessor& operator=(Predecessor&&) = delete;

  // Readable when it is done, or has died.
  int fd() const noexcept { return fd_; }
  void tell_ready() const noexcept;
  void tell_failure(const std::string& sentence) const noexcept;

 private:
  int fd_;
};

}  // namespace tus::app
