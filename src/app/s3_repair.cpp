#include "app/s3_repair.h"

#include "app/signpost.h"
#include "app/wiring.h"

#include <boost/asio/co_spawn.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace tus::app {

namespace {

// What both threads know of the walk.
struct Walk {
  Workshop& shop;
  S3RepairOptions options;
  Result<S3RepairReport> report = S3RepairReport();
  std::atomic<bool> stopped = false;
  Signpost ended;
};

Awaitable<void> run(Walk& walk) {
  walk.report = co_await walk.shop.store->repair(std::move(walk.options));
}

std::string_view word_for(S3Mending outcome) {
  switch (outcome) {
    case S3Mending::mended:
      return "mended";
    case S3Mending::left_alone:
      return "left alone";
    case S3Mending::impossible:
      return "cannot be mended";
    case S3Mending::failed:
      return "failed";
  }
  return "";
}

void print(const S3RepairNote& note) {
  const auto line = note.id + ": " + std::string(word_for(note.outcome)) + ": " + note.what;
  std::puts(line.c_str());
}

void print(const S3RepairReport& report) {
  const auto n = [](std::uint64_t number) { return std::to_string(number); };
  const auto line = "Looked at " + n(report.uploads) + " uploads: " + n(report.mended) +
                    " mended, " + n(report.impossible) + " cannot be mended, " +
                    n(report.left_alone) + " left alone, " + n(report.failed) + " failed.";
  std::puts(line.c_str());
}

int complain(const std::string& sentence) {
  std::fprintf(stderr, "tusd: %s\n", sentence.c_str());
  return 1;
}

S3RepairOptions options_for(const Config& config, const Workshop& shop,
                            const std::atomic<bool>& stopped) {
  S3RepairOptions options;
  options.idle_for = std::chrono::ceil<std::chrono::seconds>(config.s3.repair_after);
  options.locker = shop.locker;
  options.tell = [](const S3RepairNote& note) { print(note); };
  options.goes_on = [&stopped] { return !stopped.load(); };
  return options;
}

}  // namespace

int repair_bucket(const Config& config, StopSignals& signals) {
  auto shop = make_workshop(config);
  if (!shop) return complain(shop.error());
  Walk walk{*shop, {}, S3RepairReport(), false, {}};
  walk.options = options_for(config, *shop, walk.stopped);
  std::exception_ptr thrown;
  asio::co_spawn(shop->server.loops->executors()[0], run(walk),
                 [&walk, &thrown](std::exception_ptr error) {
                   thrown = std::move(error);
                   walk.ended.set();
                 });
  while (!walk.ended.is_set()) {
    wait_for_any({signals.fd(), walk.ended.fd()}, std::nullopt);
    while (const auto signal = signals.next()) {
      if (*signal == SIGINT || *signal == SIGTERM) walk.stopped = true;
    }
  }
  close_workshop(*shop);
  if (thrown) std::rethrow_exception(thrown);
  if (!walk.report) {
    const auto& error = walk.report.error();
    return complain("-s3-repair: " + std::string(describe(error.code()).message) + ": " +
                    error.detail());
  }
  print(*walk.report);
  if (walk.stopped) return complain("-s3-repair: ended by a signal before it was through");
  return walk.report->all_is_well() ? 0 : 1;
}

}  // namespace tus::app
