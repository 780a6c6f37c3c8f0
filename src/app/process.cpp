#include "app/process.h"

#include "app/signpost.h"
#include "app/start_lines.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace tus::app {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds successor_start_time{60};

// To stdout, with the date in front, as tusd does it.
void say(std::string_view line) {
  const auto date = go_date_prefix(std::chrono::system_clock::now());
  std::printf("%s%.*s\n", date.c_str(), static_cast<int>(line.size()), line.data());
  std::fflush(stdout);
}

extern "C" void give_up_waiting(int) {
  constexpr std::string_view sentence =
      "tusd: the store did not come to an end in time. Exiting immediately!\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, sentence.data(), sentence.size());
  ::_exit(1);
}

// A store call that hangs (a dead network file system) must not keep the process for ever: what is
// acknowledged is in the files already.
void end_anyway_after(const Config& config) {
  const auto all = config.shutdown_timeout + config.request_completion_timeout;
  std::signal(SIGALRM, give_up_waiting);
  ::alarm(static_cast<unsigned>(std::chrono::ceil<std::chrono::seconds>(all).count()) + 1);
}

}  // namespace

Process::Process(StopSignals& signals, Program program, Inherited inherited, ReadConfig read_config)
    : signals_(signals),
      program_(std::move(program)),
      inherited_(std::move(inherited)),
      read_config_(std::move(read_config)),
      notifier_(inherited_.notify_socket) {
  if (inherited_.handover) predecessor_.emplace(*inherited_.handover);
}

void Process::tell_predecessor(const std::string& failure) const {
  if (predecessor_) predecessor_->tell_failure(failure);
}

int Process::run(const Config& config) {
  config_ = config;
  if (auto error = start()) {
    std::fprintf(stderr, "tusd: %s\n", error->c_str());
    tell_predecessor(*error);
    return 1;
  }
  if (predecessor_ && !wait_for_predecessor()) return 0;
  serve();
  for (;;) {
    if (const auto why = next_event()) return stop(*why);
  }
}

// ---- starting

std::optional<std::string> Process::start() {
  auto server = make_server(config_);
  if (!server) return std::move(server.error());
  auto listeners = Listeners::open(config_, inherited_);
  if (!listeners) return std::move(listeners.error());
  server_ = std::move(*server);
  listeners_ = std::move(*listeners);
  return std::nullopt;
}

bool Process::wait_for_predecessor() {
  predecessor_->tell_ready();
  for (;;) {
    wait_for_any({signals_.fd(), predecessor_->fd()}, std::nullopt);
    while (const auto signal = signals_.next()) {
      if (*signal == SIGINT || *signal == SIGTERM) return false;
    }
    char end = 0;
    // Its end is the sign, so that its death is one too.
    if (::read(predecessor_->fd(), &end, 1) >= 0) break;
  }
  predecessor_.reset();
  return true;
}

void Process::serve() {
  listeners_->own_files();
  if (auto error = open_for_clients(*server_, *listeners_)) throw std::runtime_error(*error);
  print_start_lines();
  notifier_.ready();
}

void Process::print_start_lines() const {
  std::vector<ListenerLine> listening;
  for (const auto& listener : listeners_->all()) {
    listening.push_back({listener.name, server::is_unix_socket(listener.socket.fd())});
  }
  if (!config_.show_startup_logs) return;
  for (const auto& line : start_lines(config_, server_->handler->extensions(), listening)) {
    say(line);
  }
}

// ---- running

std::optional<Process::Why> Process::next_event() {
  if (!successor_) {
    wait_for_any({signals_.fd()}, std::nullopt);
  } else {
    const auto left = patience_with_successor_ - steady_clock::now();
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(left);
    wait_for_any({signals_.fd(), successor_->fd()}, std::max(wait, std::chrono::milliseconds(0)));
  }
  if (const auto signal = signals_.next()) return act_on(*signal);
  return successor_ ? follow_upgrade() : std::nullopt;
}

std::optional<Process::Why> Process::act_on(int signal) {
  if (signal == SIGHUP) {
    reload();
  } else if (signal == SIGUSR2) {
    begin_upgrade();
  } else {
    return Why::asked;
  }
  return std::nullopt;
}

void Process::reload() {
  notifier_.reloading();
  reload_config(config_, *server_, read_config_);
  notifier_.ready();
}

void Process::begin_upgrade() {
  if (config_.store == StoreKind::memory) {
    return upgrade_failed("uploads in memory would be lost; stop and start the server instead");
  }
  if (::getpid() == 1) {
    return upgrade_failed("this is process 1, whose end would end its container");
  }
  if (successor_) return upgrade_failed("another upgrade is under way");
  ForSuccessor given;
  for (const auto& listener : listeners_->all()) {
    auto& list = listeners_->of_manager() ? given.of_manager : given.ours;
    list.push_back(listener.socket.fd());
  }
  given.notify_socket = notifier_.socket();
  auto started = Successor::start(program_, given);
  if (!started) return upgrade_failed(started.error());
  successor_.emplace(std::move(*started));
  patience_with_successor_ = steady_clock::now() + successor_start_time;
  const auto pid = std::to_string(successor_->pid());
  server_->logger->log(LogLevel::info, "UpgradeStarted", {{"pid", pid}, {"path", program_.path}});
}

std::optional<Process::Why> Process::follow_upgrade() {
  const auto said = successor_->hear();
  if (said == Successor::Said::ready) return Why::replaced;
  const bool late = steady_clock::now() >= patience_with_successor_;
  if (said == Successor::Said::nothing_yet && !late) return std::nullopt;
  const auto reason = successor_->reason();
  successor_.reset();
  upgrade_failed(said == Successor::Said::failed ? reason : "it was not ready in time");
  return std::nullopt;
}

void Process::upgrade_failed(const std::string& why) {
  server_->logger->log(LogLevel::error, "UpgradeFailed", {{"error", why}});
}

// ---- stopping

int Process::stop(Why why) {
  StopPlan plan;
  plan.deadline = Deadline::after(steady_clock::now(), config_.shutdown_timeout);
  plan.time_to_save = config_.request_completion_timeout;
  if (why == Why::replaced) {
    const auto pid = std::to_string(successor_->pid());
    server_->logger->log(LogLevel::info, "UpgradeHandsOver", {{"pid", pid}});
    notifier_.main_process_is(successor_->pid());
    listeners_->leave_files();
    plan.unaccepted = Unaccepted::leave;
    // Too late, something may still be in the store: then the end of this process is the sign.
    plan.store_is_free = [this, deadline = plan.deadline] {
      if (!deadline.passed(steady_clock::now())) successor_->go();
    };
  } else {
    if (successor_) successor_->give_up();
    say("Received interrupt signal. Shutting down tusd...");
    notifier_.stopping();
    if (listeners_->of_manager()) plan.unaccepted = Unaccepted::leave;
  }
  listeners_->close();
  end_anyway_after(config_);
  Signpost ended;
  begin_stop(*server_, std::move(plan), [&ended](std::exception_ptr) { ended.set(); });
  while (!ended.is_set()) {
    wait_for_any({signals_.fd(), ended.fd()}, std::nullopt);
    const auto signal = signals_.next();
    if (signal == SIGINT || signal == SIGTERM) return end_now();
  }
  close_server(*server_);
  if (why == Why::asked) say("Shutdown completed. Goodbye!");
  return 0;
}

int Process::end_now() const {
  say("Received second interrupt signal. Exiting immediately!");
  ::_exit(1);
}

}  // namespace tus::app
