// Starting a program so that it gets nothing of ours but what it is meant to have.
#pragma once

#include "async/file_descriptor.h"

#include <expected>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tus::hooks {

struct ProgramSpec {
  std::string path;                      // absolute
  std::string directory;                 // where it runs
  std::vector<std::string> environment;  // NAME=value
};

// A child of ours, which leads a process group of its own. Who has it must reap it.
struct Spawned {
  pid_t pid = -1;
  Fd pidfd;
  // Our ends of its standard streams; they do not block.
  Fd in;
  Fd in_reader;  // the end that it reads: while we have it too, writing raises no SIGPIPE
  Fd out;
  Fd err;
};

struct SpawnError {
  const char* step;  // the system call
  int number;        // errno
};

// Blocks until the program has been loaded, or could not be. The program has stdin, stdout and stderr and no other
// descriptor, an empty signal mask, and no signal that is ignored.
std::expected<Spawned, SpawnError> spawn(const ProgramSpec& spec);

}  // namespace tus::hooks
