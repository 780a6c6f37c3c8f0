#include "bench/process_stats.h"

#include <cerrno>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <system_error>

namespace bench {

double cpu_seconds(pid_t pid) {
  clockid_t clock{};
  if (const int error = clock_getcpuclockid(pid, &clock); error != 0) {
    throw std::system_error(error, std::generic_category(), "CPU clock of the server");
  }
  timespec time{};
  if (clock_gettime(clock, &time) != 0) {
    throw std::system_error(errno, std::generic_category(), "CPU clock of the server");
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::uint64_t status_kib(pid_t pid, std::string_view field) {
  const auto path = "/proc/" + std::to_string(pid) + "/status";
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field) && line.substr(field.size()).starts_with(':')) {
      return std::stoull(line.substr(field.size() + 1));
    }
  }
  throw std::runtime_error("no " + std::string(field) + " in " + path);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace bench
