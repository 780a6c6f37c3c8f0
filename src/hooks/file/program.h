// One run of a program: feeds it, hears it, ends it in time, reaps it.
#pragma once

#include "async/event.h"
#include "hooks/file/output_log.h"
#include "hooks/file/slots.h"
#include "hooks/file/spawn.h"

#include <tus/async.h>
#include <tus/deadline.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tus::hooks {

enum class Ending : std::uint8_t {
  exited,           // by itself; `code` is its exit code
  signalled,        // by somebody else; `code` is the signal
  timed_out,        // what follows is our doing
  closed,           // we are asked to stop
  too_much_output,  //
  lost,             // we cannot watch it, or somebody else has reaped it; `code` is an errno
};

struct Outcome {
  Ending ending = Ending::lost;
  int code = 0;
  std::string output;  // stdout
  std::string errors;  // the beginning of stderr
};

struct ProgramOptions {
  std::string input;
  std::size_t largest_output = 0;  // bytes
  Deadline deadline = Deadline::never();
};

// Everything happens on a strand of the executor; the functions below may be called by any thread.
class Program : public std::enable_shared_from_this<Program> {
 public:
  // Bytes of stderr that are kept for the outcome.
  static constexpr std::size_t most_errors = 8 << 10;

  // Keeps itself, and its slot, until it is reaped.
  static std::shared_ptr<Program> run(const asio::any_io_executor& executor, Spawned spawned,
                                      ProgramOptions options, OutputLog log, Slots::Slot slot);
  // Only when the loop ended first.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Set once it is reaped; then the outcome stays as it is.
  Event& ended() noexcept { return ended_; }
  Outcome& outcome() noexcept { return outcome_; }
  // Gives it less time than it has.
  void end_by(Deadline deadline, Ending reason);

 private:
  using Stream = asio::posix::stream_descriptor;
  using Take = void (Program::*)(std::string_view);

  Program(const asio::any_io_executor& executor, Spawned spawned, ProgramOptions options,
          OutputLog log, Slots::Slot slot);
  void begin(Spawned spawned);
  void wait_for_exit();
  bool reap();
  void wait_for_deadline();
  void write();
  void listen(Stream& stream, Take take);
  // Whether more may come; at most this many bytes of what is here.
  bool hear(Stream& stream, Take take, std::size_t most);
  void take_output(std::string_view text);
  void take_errors(std::string_view text);
  void kill(Ending reason);
  void finish();

  asio::strand<asio::any_io_executor> strand_;
  const pid_t pid_;
  ProgramOptions options_;
  OutputLog log_;
  std::optional<Slots::Slot> slot_;
  Stream pidfd_;
  Stream in_;
  Fd in_reader_;
  Stream out_;
  Stream err_;
  asio::steady_timer timer_;
  Deadline deadline_;
  Ending overdue_ = Ending::timed_out;
  std::size_t written_ = 0;
  bool killed_ = false;
  bool reaped_ = false;
  Outcome outcome_;
  Event ended_;
};

}  // namespace tus::hooks
