#include "hooks/file/program.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace tus::hooks {

namespace {

constexpr std::size_t bytes_a_turn = 64 << 10;
// What a pipe may hold after its writer has gone, and what we still read if another one goes on.
constexpr std::size_t bytes_at_the_end = 1 << 20;
constexpr int milliseconds_of_dying = 1000;

siginfo_t no_state() {
  siginfo_t state{};
  state.si_pid = 0;
  return state;
}

}  // namespace

std::shared_ptr<Program> Program::run(const asio::any_io_executor& executor, Spawned spawned,
                                      ProgramOptions options, OutputLog log, Slots::Slot slot) {
  std::shared_ptr<Program> program(new Program(
      executor, Spawned{.pid = spawned.pid}, std::move(options), std::move(log), std::move(slot)));
  asio::post(program->strand_, [program, spawned = std::move(spawned)]() mutable {
    program->begin(std::move(spawned));
  });
  return program;
}

Program::Program(const asio::any_io_executor& executor, Spawned spawned, ProgramOptions options,
                 OutputLog log, Slots::Slot slot)
    : strand_(asio::make_strand(executor)),
      pid_(spawned.pid),
      options_(std::move(options)),
      log_(std::move(log)),
      slot_(std::move(slot)),
      pidfd_(strand_),
      in_(strand_),
      out_(strand_),
      err_(strand_),
      timer_(strand_),
      deadline_(options_.deadline) {}

Program::~Program() {
  if (reaped_) return;
  ::kill(-pid_, SIGKILL);
  // It may hang in a system call that nothing ends; then whoever is our parent gets a zombie some day.
  for (int i = 0; i < milliseconds_of_dying; ++i) {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) return;
    ::poll(nullptr, 0, 1);
  }
}

void Program::begin(Spawned spawned) {
  boost::system::error_code error;
  for (auto [stream, fd] : {std::pair(&pidfd_, &spawned.pidfd), std::pair(&in_, &spawned.in),
                            std::pair(&out_, &spawned.out), std::pair(&err_, &spawned.err)}) {
    if (!error) stream->assign(fd->get(), error);
    if (!error) fd->release();
  }
  if (error) {
    outcome_.code = error.value();
    return finish();  // the destructor ends the program
  }
  in_reader_ = std::move(spawned.in_reader);
  wait_for_exit();
  wait_for_deadline();
  listen(out_, &Program::take_output);
  listen(err_, &Program::take_errors);
  write();
}

void Program::wait_for_exit() {
  pidfd_.async_wait(Stream::wait_read, [self = shared_from_this()](boost::system::error_code) {
    if (self->ended_.is_set()) return;
    if (!self->reap()) return self->wait_for_exit();
    // Whoever it has left behind may hold its streams for ever: what is here counts.
    self->hear(self->out_, &Program::take_output, bytes_at_the_end);
    self->hear(self->err_, &Program::take_errors, bytes_at_the_end);
    self->finish();
  });
}

bool Program::reap() {
  auto state = no_state();
  int result = 0;
  do {
    result =
        ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.native_handle()), &state, WEXITED | WNOHANG);
  } while (result < 0 && errno == EINTR);
  if (result == 0 && state.si_pid == 0) return false;
  reaped_ = true;
  if (killed_) return true;
  if (result < 0) {
    outcome_.ending = Ending::lost;
    outcome_.code = errno;
    return true;
  }
  outcome_.ending = state.si_code == CLD_EXITED ? Ending::exited : Ending::signalled;
  outcome_.code = state.si_status;
  return true;
}

void Program::wait_for_deadline() {
  timer_.expires_at(deadline_.when());
  timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->ended_.is_set()) self->kill(self->overdue_);
  });
}

void Program::end_by(Deadline deadline, Ending reason) {
  asio::post(strand_, [self = shared_from_this(), deadline, reason] {
    if (self->ended_.is_set() || deadline.when() >= self->deadline_.when()) return;
    self->deadline_ = deadline;
    self->overdue_ = reason;
    self->wait_for_deadline();
  });
}

// A program that does not read keeps us waiting here until it ends, and nobody cares.
void Program::write() {
  while (written_ < options_.input.size()) {
    const auto count = ::write(in_.native_handle(), options_.input.data() + written_,
                               options_.input.size() - written_);
    if (count >= 0) {
      written_ += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      in_.async_wait(Stream::wait_write, [self = shared_from_this()](boost::system::error_code) {
        if (!self->ended_.is_set()) self->write();
      });
      return;
    } else if (errno != EINTR) {
      break;
    }
  }
  boost::system::error_code ignored;
  in_.close(ignored);
}

void Program::listen(Stream& stream, Take take) {
  stream.async_wait(Stream::wait_read,
                    [self = shared_from_this(), &stream, take](boost::system::error_code) {
                      if (self->ended_.is_set()) return;
                      if (self->hear(stream, take, bytes_a_turn)) self->listen(stream, take);
                    });
}

bool Program::hear(Stream& stream, Take take, std::size_t most) {
  std::array<char, 8192> buffer;
  for (std::size_t heard = 0; stream.is_open() && heard < most;) {
    const auto count = ::read(stream.native_handle(), buffer.data(), buffer.size());
    if (count > 0) {
      heard += static_cast<std::size_t>(count);
      (this->*take)({buffer.data(), static_cast<std::size_t>(count)});
    } else if (count < 0 && errno == EAGAIN) {
      return true;
    } else if (count == 0 || errno != EINTR) {
      boost::system::error_code ignored;
      stream.close(ignored);
    }
  }
  return stream.is_open();
}

void Program::take_output(std::string_view text) {
  const auto room = options_.largest_output - outcome_.output.size();
  outcome_.output += text.substr(0, room);
  if (text.size() > room) kill(Ending::too_much_output);
}

void Program::take_errors(std::string_view text) {
  outcome_.errors += text.substr(0, most_errors - outcome_.errors.size());
  log_.write(text);
}

// At once and without asking: a program that has used up its time gets no more of it, and its event will be
// delivered again. The group still has its number, because its leader is not reaped.
void Program::kill(Ending reason) {
  if (killed_) return;
  killed_ = true;
  outcome_.ending = reason;
  if (!reaped_) ::kill(-pid_, SIGKILL);
}

void Program::finish() {
  boost::system::error_code ignored;
  for (Stream* stream : {&pidfd_, &in_, &out_, &err_}) stream->close(ignored);
  in_reader_.reset();
  timer_.cancel();
  log_.finish();
  if (reaped_) slot_.reset();
  ended_.set();
}

}  // namespace tus::hooks
