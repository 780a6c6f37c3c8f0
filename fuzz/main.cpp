// One program for all targets: -target=NAME, or TUS_FUZZ_TARGET=NAME, says which one runs.
#include "fuzz/targets.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace tus::fuzz {

std::span<const Target> targets() {
  static constexpr auto all = std::to_array<Target>({
      {"http_head", http_head},
      {"chunked", chunked},
      {"response_head", response_head},
      {"numbers", numbers},
      {"text_codes", text_codes},
      {"checksum", checksum},
      {"concat", concat},
      {"metadata", metadata},
      {"presentation", presentation},
      {"range", range},
      {"conditions", conditions},
      {"http_date", http_date},
      {"cors", cors},
      {"authority", authority},
      {"forwarded", forwarded},
      {"route", route},
      {"protocol", protocol},
      {"connection", connection},
      {"info_file", info_file},
      {"json_text", json_text},
      {"lock_file", lock_file},
      {"s3_xml", s3_xml},
      {"aws_config", aws_config},
      {"command_line", command_line},
      {"environment", environment},
      {"config_file", config_file},
      {"option_values", option_values},
      {"inherited", inherited},
      {"log_line", log_line},
  });
  return all;
}

namespace {

// libFuzzer calls functions without an object.
const Target*& chosen() {
  static const Target* target = nullptr;
  return target;
}

[[noreturn]] void list_targets() {
  std::fputs("choose one with -target=NAME or TUS_FUZZ_TARGET=NAME:\n", stderr);
  for (const auto& target : targets()) {
    std::fprintf(stderr, "  %.*s\n", static_cast<int>(target.name.size()), target.name.data());
  }
  std::exit(2);  // NOLINT(concurrency-mt-unsafe): there are no threads yet
}

// Takes -target=NAME out of the arguments, which libFuzzer reads next.
std::string name_of_target(int& count, char** arguments) {
  constexpr std::string_view option = "-target=";
  std::string name;
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument.starts_with(option)) {
      name = argument.substr(option.size());
    } else {
      arguments[kept++] = arguments[i];
    }
  }
  count = kept;
  arguments[count] = nullptr;
  return name;
}

}  // namespace

}  // namespace tus::fuzz

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  using namespace tus::fuzz;
  constexpr const char* variable = "TUS_FUZZ_TARGET";
  auto name = name_of_target(*count, *arguments);
  // NOLINTBEGIN(concurrency-mt-unsafe): there are no threads yet
  if (const char* said = std::getenv(variable); name.empty() && said != nullptr) name = said;
  // For the processes that -jobs and -fork start.
  ::setenv(variable, name.c_str(), 1);
  // NOLINTEND(concurrency-mt-unsafe)
  const auto found = std::ranges::find(targets(), name, &Target::name);
  if (found == targets().end()) list_targets();
  chosen() = std::to_address(found);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tus::fuzz::chosen()->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
