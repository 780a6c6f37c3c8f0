#include "metrics/process_figures.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace tus::metrics {

namespace {

namespace fs = std::filesystem;

std::string content_of(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" \n"), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

double boot_time() {
  const auto stat = content_of("/proc/stat");
  constexpr std::string_view key = "btime ";
  const auto at = stat.find(key);
  return at == std::string::npos
             ? 0
             : static_cast<double>(number(std::string_view(stat).substr(at + key.size())));
}

// Newer kernels say the number as the size of the directory; others are asked for each of them.
std::uint64_t count_descriptors() {
  struct stat found{};
  if (::stat("/proc/self/fd", &found) == 0 && found.st_size > 0) {
    return static_cast<std::uint64_t>(found.st_size);
  }
  std::error_code ec;
  std::uint64_t count = 0;
  for (fs::directory_iterator it("/proc/self/fd", ec); !ec && it != fs::directory_iterator();
       it.increment(ec)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // without the one that looks
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

ProcessFigures look_at_process() {
  // proc(5): fields 20, 22, 23 and 24 of stat; the second is the program's name, which may have anything in it.
  constexpr std::size_t fields_before = 3;
  ProcessFigures figures;
  const auto stat = content_of("/proc/self/stat");
  const auto behind_name = stat.rfind(')');
  if (behind_name != std::string::npos) {
    const auto fields = words_of(std::string_view(stat).substr(behind_name + 1));
    const auto field = [&](std::size_t n) {
      return n - fields_before < fields.size() ? number(fields[n - fields_before]) : 0;
    };
    figures.threads = field(20);
    figures.start_time =
        boot_time() + static_cast<double>(field(22)) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    figures.virtual_bytes = field(23);
    figures.resident_bytes = field(24) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    figures.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  }
  figures.open_descriptors = count_descriptors();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    figures.most_descriptors = limit.rlim_cur;
  return figures;
}

}  // namespace tus::metrics
