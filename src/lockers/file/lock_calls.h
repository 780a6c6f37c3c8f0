// What the file locker asks of the machine, in one place, so that tests can change the answers.
#pragma once

#include <string>
#include <sys/types.h>

namespace tus::file_locker {

// Each behaves as the function of its name: -1 and errno on failure. Any thread.
class LockCalls {
 public:
  virtual ~LockCalls() = default;

  virtual int linkat(int from_dir, const char* from, int to_dir, const char* to);
  virtual int flock(int fd, int operation);
  virtual int inotify_init();
  virtual pid_t getpid();
  virtual bool process_exists(pid_t pid);
  // When a process began, in a unit of the kernel's; empty when there is no such process.
  virtual std::string start_time(pid_t pid);
  virtual std::string boot_id();
};

}  // namespace tus::file_locker
