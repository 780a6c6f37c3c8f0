#include "bench/modes.h"
#include "bench/process_stats.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>

namespace bench {
namespace {

constexpr std::uint64_t stalled_length = 1'000'000;

std::unique_ptr<Connection> stall_one(const Target& target) {
  auto wire = std::make_unique<Connection>(target);
  wire->send(create_head(target, stalled_length, 0));
  const auto created = wire->receive(Answer::with_body);
  if (created.status != 201) {
    throw Failure("create: status " + std::to_string(created.status));
  }
  if (created.close) wire = std::make_unique<Connection>(target);
  wire->send(patch_head(target, created.location, 0, stalled_length) + "x");
  return wire;
}

// The server may still be busy with the last ones: the figure counts once it has stood still.
std::uint64_t settled_rss(pid_t pid) {
  std::uint64_t last = 0;
  int quiet = 0;
  for (int i = 0; i < 50 && quiet < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const auto now = status_kib(pid, "VmRSS");
    quiet = now == last ? quiet + 1 : 0;
    last = now;
  }
  return last;
}

}  // namespace

Figures run_stall(const Options& options) {
  raise_descriptor_limit();
  std::uint64_t errors = 0;
  std::vector<std::unique_ptr<Connection>> stalled;
  const auto before = settled_rss(options.pid);
  for (std::uint64_t i = 0; i < options.operations; ++i) {
    try {
      stalled.push_back(stall_one(options.target));
    } catch (const std::exception& error) {
      if (++errors <= 5) std::fprintf(stderr, "loadgen: %s\n", error.what());
    }
  }
  const auto after = settled_rss(options.pid);
  // An upload that the server gave up is not a stalled one.
  errors += static_cast<std::uint64_t>(
      std::ranges::count_if(stalled, [](const auto& wire) { return wire->has_news(); }));
  const auto grown = static_cast<double>(after) - static_cast<double>(before);
  const auto count = static_cast<double>(std::max<std::size_t>(stalled.size(), 1));
  return {{"operations", static_cast<double>(stalled.size())},
          {"errors", static_cast<double>(errors)},
          {"rss_before_kib", static_cast<double>(before)},
          {"rss_after_kib", static_cast<double>(after)},
          {"kib_per_stalled_upload", grown / count}};
}

}  // namespace bench
