// Loads a tus 1.0 server and measures what it costs; see README.md.
#include "bench/modes.h"
#include "bench/options.h"

#include <algorithm>
#include <cstdio>
#include <exception>

namespace {

bench::Figures run(const bench::Options& options) {
  switch (options.mode) {
    case bench::Mode::stall:
      return bench::run_stall(options);
    case bench::Mode::takeover:
      return bench::run_takeover(options);
    default:
      return bench::run_throughput(options);
  }
}

}  // namespace

int main(int argc, char** argv) {
  bench::Options options;
  try {
    options = bench::parse_options(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "loadgen: %s\n%s", error.what(), bench::usage);
    return 2;
  }
  try {
    const auto figures = run(options);
    bench::print_json(argv[1], figures);
    return std::ranges::any_of(
        figures, [](const auto& figure) { return figure.first == "errors" && figure.second > 0; });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "loadgen: %s\n", error.what());
    return 1;
  }
}
