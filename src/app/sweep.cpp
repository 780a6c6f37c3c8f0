#include "app/sweep.h"

#include "app/signpost.h"
#include "app/wiring.h"

#include <boost/asio/co_spawn.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>

namespace tus::app {

namespace {

// What both threads know of the pass.
struct Pass {
  Server& server;
  Result<SweepReport> report = SweepReport();
  Signpost ended;
};

Awaitable<void> run(Pass& pass) { pass.report = co_await pass.server.handler->sweep(); }

void print(const SweepReport& report) {
  const auto n = [](std::uint64_t number) { return std::to_string(number); };
  const auto line = "Removed " + n(report.uploads) + " expired uploads (" + n(report.upload_bytes) +
                    " bytes), " + n(report.left_overs) + " left-overs (" +
                    n(report.left_over_bytes) + " bytes) and " + n(report.locks) +
                    " locks of dead processes.";
  std::puts(line.c_str());
}

int complain(const std::string& sentence, int code) {
  std::fprintf(stderr, "tusd: %s\n", sentence.c_str());
  return code;
}

void stop(Server& server, const Config& config) {
  Signpost ended;
  StopPlan plan;
  plan.deadline = Deadline::after(std::chrono::steady_clock::now(), config.shutdown_timeout);
  plan.time_to_save = config.request_completion_timeout;
  begin_stop(server, std::move(plan), [&ended](std::exception_ptr) { ended.set(); });
  while (!ended.is_set()) wait_for_any({ended.fd()}, std::nullopt);
  close_server(server);
}

}  // namespace

int sweep_once(const Config& config, StopSignals& signals) {
  auto server = make_server(config);
  if (!server) return complain(server.error(), 1);
  Pass pass{*server, SweepReport(), {}};
  std::exception_ptr thrown;
  asio::co_spawn(server->loops->executors()[0], run(pass),
                 [&pass, &thrown](std::exception_ptr error) {
                   thrown = std::move(error);
                   pass.ended.set();
                 });
  while (!pass.ended.is_set()) {
    wait_for_any({signals.fd(), pass.ended.fd()}, std::nullopt);
    while (const auto signal = signals.next()) {
      if (*signal == SIGINT || *signal == SIGTERM) server->handler->begin_close();
    }
  }
  stop(*server, config);
  if (thrown) std::rethrow_exception(thrown);
  if (pass.report) {
    print(*pass.report);
    return 0;
  }
  const auto& error = pass.report.error();
  return complain("-sweep: " + std::string(describe(error.code()).message) + ": " + error.detail(),
                  1);
}

}  // namespace tus::app
