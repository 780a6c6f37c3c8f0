#include "bench/options.h"

#include <charconv>
#include <stdexcept>
#include <string_view>

namespace bench {
namespace {

std::uint64_t number(std::string_view name, std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument(std::string(name) + " needs a number, not '" + std::string(text) +
                                "'");
  }
  return value;
}

Mode mode_of(std::string_view name) {
  if (name == "patch") return Mode::patch;
  if (name == "post") return Mode::post;
  if (name == "create") return Mode::create;
  if (name == "head") return Mode::head;
  if (name == "stall") return Mode::stall;
  if (name == "takeover") return Mode::takeover;
  throw std::invalid_argument("unknown mode '" + std::string(name) + "'");
}

void set(Options& options, std::string_view name, std::string_view value) {
  if (name == "--url") {
    options.target = parse_target(value);
  } else if (name == "--pid") {
    options.pid = static_cast<pid_t>(number(name, value));
  } else if (name == "--connections") {
    options.connections = static_cast<unsigned>(number(name, value));
  } else if (name == "--operations") {
    options.operations = number(name, value);
  } else if (name == "--size") {
    options.size = number(name, value);
  } else if (name == "--chunk") {
    options.chunk = number(name, value);
  } else if (name == "--pause-ms") {
    options.pause = std::chrono::milliseconds(number(name, value));
  } else {
    throw std::invalid_argument("unknown option " + std::string(name));
  }
}

}  // namespace

const char* const usage =
    R"(usage: loadgen MODE --url http://127.0.0.1:PORT/files/ --pid PID [options]
modes:
  patch     POST, then PATCH of --size bytes (in pieces of --chunk bytes, when given)
  post      POST with a body of --size bytes
  create    POST without a body
  head      HEAD of an upload that is there
  stall     --operations uploads: PATCH head and one byte, then silence; memory of the server
  takeover  stall an upload, then HEAD and PATCH it from a second connection; latency
options:
  --connections N   side by side, each on its own thread (default 1)
  --operations N    in all (default 1)
  --size BYTES      of one upload (default 1 MiB)
  --chunk BYTES     of one PATCH (default 0: all of it)
  --pause-ms MS     takeover: how long the first connection is silent before the second comes (10)
Prints one line of JSON. Exit code 1 when an operation failed.
)";

Options parse_options(int argc, char** argv) {
  if (argc < 2) throw std::invalid_argument("no mode given");
  Options options;
  options.mode = mode_of(argv[1]);
  for (int i = 2; i < argc; i += 2) {
    if (i + 1 == argc) throw std::invalid_argument(std::string(argv[i]) + " needs a value");
    set(options, argv[i], argv[i + 1]);
  }
  if (options.target.port == 0) throw std::invalid_argument("--url is missing");
  if (options.pid == 0) throw std::invalid_argument("--pid is missing");
  if (options.connections == 0) throw std::invalid_argument("--connections must not be 0");
  return options;
}

}  // namespace bench
