#include "lockers/file/lock_calls.h"

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace tus::file_locker {

int LockCalls::linkat(int from_dir, const char* from, int to_dir, const char* to) {
  return ::linkat(from_dir, from, to_dir, to, 0);
}

int LockCalls::flock(int fd, int operation) { return ::flock(fd, operation); }

int LockCalls::inotify_init() { return ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC); }

pid_t LockCalls::getpid() { return ::getpid(); }

bool LockCalls::process_exists(pid_t pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }

std::string LockCalls::start_time(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  // The name of the program, in parentheses, may hold anything.
  const auto name_end = text.rfind(')');
  if (name_end == text.npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  constexpr int start_time_field = 20;  // behind the name
  for (int i = 0; i < start_time_field; ++i) fields >> field;
  return field;
}

std::string LockCalls::boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace tus::file_locker
