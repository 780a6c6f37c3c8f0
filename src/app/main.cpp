#include "app/configure.h"
#include "app/flag_docs.h"
#include "app/start_lines.h"
#include "app/wiring.h"

#include <tus/version.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <pthread.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace {

// Signals are taken by this thread alone; the mask is inherited by all threads started later.
sigset_t block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit of file sizes is an error of one upload
  return signals;
}

// The soft limit of descriptors is for programs that use select(2). Go's runtime raises it, too.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void wait_for(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
}

// A second signal ends a stop that takes too long.
void let_second_signal_kill(const sigset_t& signals) {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

// A store call that hangs (a dead network file system) must not keep the process for ever: what is
// acknowledged is in the files already.
void end_anyway_after(std::chrono::milliseconds shutdown_timeout) {
  constexpr std::chrono::seconds for_running_store_calls{30};
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(shutdown_timeout);
  ::alarm(static_cast<unsigned>((seconds + for_running_store_calls).count()));
}

void print_start_lines(const tus::app::Config& config, const tus::app::Server& server) {
  for (const auto& line : start_lines(config, server.handler->extensions(), server.port)) {
    const auto date = tus::app::go_date_prefix(std::chrono::system_clock::now());
    std::printf("%s%s\n", date.c_str(), line.c_str());
  }
  std::fflush(stdout);
}

int run(const tus::app::Config& config) {
  const auto signals = block_stop_signals();
  raise_descriptor_limit();
  auto server = tus::app::start_server(config);
  if (!server) {
    std::fprintf(stderr, "tusd: %s\n", server.error().c_str());
    return 1;
  }
  if (config.show_startup_logs) print_start_lines(config, *server);
  wait_for(signals);
  let_second_signal_kill(signals);
  end_anyway_after(config.shutdown_timeout);
  tus::app::stop_server(*server, config);
  return 0;
}

// What is printed instead of serving; mostly nothing.
std::string text_asked_for(const tus::app::Config& config) {
  if (config.show_version) return "Version: " + std::string(tus::version()) + "\n";
  if (config.show_help) return tus::app::flags_help(tus::app::make_flag_table());
  return tus::app::generate(config.generate, tus::app::make_flag_table());
}

int check(const tus::app::Config& config) {
  for (const auto& warning : config.warnings) std::printf("warning: %s\n", warning.c_str());
  if (const auto obstacle = tus::app::find_obstacle(config)) {
    std::fprintf(stderr, "tusd: %s\n", obstacle->c_str());
    return 2;
  }
  std::puts("configuration is valid");
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string_view> args(argv + 1, argv + argc);
  std::vector<std::string_view> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  const auto config = tus::app::configure(args, environment);
  if (!config) {
    std::fprintf(stderr, "tusd: %s\nRun tusd -help for all flags.\n", config.error().c_str());
    return 2;
  }
  if (const auto text = text_asked_for(*config); !text.empty()) {
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  return config->check_config ? check(*config) : run(*config);
} catch (const std::exception& error) {
  std::fprintf(stderr, "tusd: %s\n", error.what());
  return 1;
}
