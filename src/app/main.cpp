#include "app/configure.h"
#include "app/dead_hooks.h"
#include "app/flag_docs.h"
#include "app/process.h"
#include "app/s3_repair.h"
#include "app/sweep.h"

#include <tus/version.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace {

using Texts = std::vector<std::string_view>;

// The soft limit of descriptors is for programs that use select(2). Go's runtime raises it, too.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
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

int run(const Texts& args, tus::app::StopSignals& signals, tus::app::Program program) {
  auto inherited = tus::app::take_inherited();
  Texts environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  const auto read_config = [&args, environment] { return tus::app::configure(args, environment); };
  tus::app::Process process(signals, std::move(program), std::move(inherited), read_config);
  const auto config = read_config();
  if (!config) {
    std::fprintf(stderr, "tusd: %s\nRun tusd -help for all flags.\n", config.error().c_str());
    process.tell_predecessor(config.error());
    return 2;
  }
  if (const auto text = text_asked_for(*config); !text.empty()) {
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  if (config->check_config) return check(*config);
  raise_descriptor_limit();
  if (config->list_dead_hooks) return tus::app::list_dead_hooks(*config);
  if (config->replay_hooks) return tus::app::replay_dead_hooks(*config);
  if (config->s3.repair) return tus::app::repair_bucket(*config, signals);
  if (config->sweep) return tus::app::sweep_once(*config, signals);
  return process.run(*config);
}

}  // namespace

int main(int argc, char** argv) try {
  tus::app::StopSignals signals;
  const Texts args(argv + 1, argv + argc);
  return run(args, signals, tus::app::this_program(argc, argv));
} catch (const std::exception& error) {
  std::fprintf(stderr, "tusd: %s\n", error.what());
  return 1;
}
