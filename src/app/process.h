// The life of the server's process: start, signals, reload, upgrade in place, stop.
#pragma once

#include "app/config.h"
#include "app/handover.h"
#include "app/inherited.h"
#include "app/listeners.h"
#include "app/notifier.h"
#include "app/reload.h"
#include "app/stop_signals.h"
#include "app/wiring.h"

#include <chrono>
#include <optional>
#include <string>

namespace tus::app {

class Process {
 public:
  // `signals` must be made first of all and outlive the process.
  Process(StopSignals& signals, Program program, Inherited inherited, ReadConfig read_config);

  // The exit code. To be called once.
  int run(const Config& config);
  // For whoever started this process to take over from him.
  void tell_predecessor(const std::string& failure) const;

 private:
  enum class Why { asked, replaced };

  std::optional<std::string> start();
  // False: a signal to stop came first.
  bool wait_for_predecessor();
  void serve();
  void print_start_lines() const;

  // Nothing: go on.
  std::optional<Why> next_event();
  std::optional<Why> act_on(int signal);
  void reload();
  void begin_upgrade();
  std::optional<Why> follow_upgrade();
  void upgrade_failed(const std::string& why);

  int stop(Why why);
  int end_now() const;

  StopSignals& signals_;
  Program program_;
  Inherited inherited_;
  ReadConfig read_config_;
  Notifier notifier_;
  std::optional<Predecessor> predecessor_;
  Config config_;
  std::optional<Successor> successor_;  // outlives the server: its end is the sign to go
  std::optional<Server> server_;
  std::optional<Listeners> listeners_;
  std::chrono::steady_clock::time_point patience_with_successor_;
};

}  // namespace tus::app
