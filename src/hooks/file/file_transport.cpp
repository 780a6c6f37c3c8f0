#include "hooks/file/file_transport.h"

#include "async/run_blocking.h"
#include "hooks/file/output_log.h"
#include "hooks/file/program.h"
#include "hooks/file/slots.h"
#include "hooks/file/spawn.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tus::hooks {

namespace {

using Clock = std::chrono::steady_clock;

// How long a killed program has to die before it is given up, in a system call that nothing ends.
constexpr std::chrono::seconds time_to_die{2};
constexpr std::size_t quoted_output = 200;  // bytes of it in the detail of an error

std::string message_of(int number) { return std::generic_category().message(number); }

std::string quote(std::string_view output) {
  if (output.empty()) return {};
  return ", it said: " + std::string(output.substr(0, quoted_output));
}

constexpr std::array<std::string_view, 4> our_variables{
    "TUS_ID=", "TUS_SIZE=", "TUS_OFFSET=", "TUS_EVENT_ID="};

std::vector<std::string> our_environment() {
  std::vector<std::string> environment;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (std::ranges::none_of(our_variables, [text](auto name) { return text.starts_with(name); })) {
      environment.emplace_back(text);
    }
  }
  return environment;
}

std::vector<std::string> environment_for(std::vector<std::string> environment,
                                         const Envelope& envelope) {
  environment.push_back("TUS_ID=" + envelope.upload_id);
  environment.push_back("TUS_SIZE=" + std::to_string(envelope.upload_length.value_or(0)));
  environment.push_back("TUS_OFFSET=" + std::to_string(envelope.upload_offset));
  environment.push_back("TUS_EVENT_ID=" + envelope.event_id);
  return environment;
}

enum class Presence : std::uint8_t { there, missing };

// A program that is not there means that nobody wants the event. One that cannot be looked for, because its directory
// has gone or may not be read, means nothing of the kind: it may be the one that keeps strangers out.
Result<Presence> look_for(const std::string& path, const std::string& directory) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) {
    const int number = errno;
    if (number == ENOENT && ::stat(directory.c_str(), &found) == 0) return Presence::missing;
    return fail(ErrorCode::store_unavailable,
                "cannot look for the hook " + path + ": " + message_of(number));
  }
  if (::stat(path.c_str(), &found) != 0) {
    return fail(ErrorCode::internal, "the hook " + path + " leads nowhere: " + message_of(errno));
  }
  if (!S_ISREG(found.st_mode)) return fail(ErrorCode::internal, "the hook " + path + " is no file");
  return Presence::there;
}

Error describe_failure(const ProgramSpec& spec, SpawnError error) {
  const auto what = "cannot run the hook " + spec.path + ": ";
  switch (error.number) {
    case EACCES:
      return {ErrorCode::internal, what + "it is not executable, or we may not execute it"};
    case ENOEXEC:
      return {ErrorCode::internal,
              what + "it is no program, nor a script whose first line begins with #!"};
    case ENOENT:
      return {ErrorCode::internal, what + "it, or what its first line names, is not there"};
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case ENOMEM:
    case ETXTBSY:
      return {ErrorCode::overloaded, what + error.step + ": " + message_of(error.number)};
    default:
      return {ErrorCode::internal, what + error.step + ": " + message_of(error.number)};
  }
}

// Counts the calls, and knows the programs that run; outlives the transport when a call is the last to let go.
class Runs {
 public:
  // False once it is closed.
  bool enter() {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    ++calls_;
    return true;
  }

  void leave() noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (--calls_ > 0 || !closed_) return;
    }
    idle_.set();
  }

  void add(const std::shared_ptr<Program>& program) {
    const std::lock_guard lock(mutex_);
    std::erase_if(programs_, [](const auto& entry) { return entry.second.expired(); });
    programs_[program.get()] = program;
    if (closed_) program->end_by(end_, Ending::closed);
  }

  void remove(const Program* program) noexcept {
    const std::lock_guard lock(mutex_);
    programs_.erase(program);
  }

  void close(Deadline deadline) {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    end_ = deadline;
    for (auto& [_, weak] : programs_) {
      if (auto program = weak.lock()) program->end_by(deadline, Ending::closed);
    }
    if (calls_ == 0) idle_.set();
  }

  Event& idle() noexcept { return idle_; }

 private:
  std::mutex mutex_;
  std::size_t calls_ = 0;
  bool closed_ = false;
  Deadline end_ = Deadline::never();
  std::unordered_map<const Program*, std::weak_ptr<Program>> programs_;
  Event idle_;
};

class CallCount {
 public:
  explicit CallCount(std::shared_ptr<Runs> runs) : runs_(std::move(runs)), in_(runs_->enter()) {}
  ~CallCount() {
    if (in_) runs_->leave();
  }
  CallCount(const CallCount&) = delete;
  CallCount& operator=(const CallCount&) = delete;
  explicit operator bool() const noexcept { return in_; }

 private:
  std::shared_ptr<Runs> runs_;
  bool in_;
};

class FileTransport final : public Transport {
 public:
  FileTransport(FileHookOptions options, std::shared_ptr<BlockingPool> pool,
                asio::any_io_executor executor, std::shared_ptr<Logger> logger)
      : options_(std::move(options)),
        pool_(std::move(pool)),
        executor_(std::move(executor)),
        logger_(std::move(logger)),
        environment_(our_environment()),
        slots_(std::make_shared<Slots>(std::max(1u, options_.concurrency))) {}

  HookTransport kind() const noexcept override { return HookTransport::file; }
  Awaitable<Result<TransportReply>> call(Envelope envelope, Deadline deadline) override;
  Awaitable<void> close(Deadline deadline) override;

 private:
  Awaitable<Result<std::shared_ptr<Program>>> start(Envelope envelope, Slots::Slot slot,
                                                    Deadline deadline);
  Result<TransportReply> reply_of(const std::string& event, Outcome outcome) const;
  Result<TransportReply> reply_of_exit(const std::string& hook, Outcome outcome) const;
  ProgramSpec spec_of(const Envelope& envelope) const;

  const FileHookOptions options_;
  const std::shared_ptr<BlockingPool> pool_;
  const asio::any_io_executor executor_;
  const std::shared_ptr<Logger> logger_;
  const std::vector<std::string> environment_;
  const std::shared_ptr<Slots> slots_;
  const std::shared_ptr<Runs> runs_ = std::make_shared<Runs>();
};

ProgramSpec FileTransport::spec_of(const Envelope& envelope) const {
  return {.path = (options_.directory / envelope.event_name).string(),
          .directory = options_.directory.string(),
          .environment = environment_for(environment_, envelope)};
}

Awaitable<Result<TransportReply>> FileTransport::call(Envelope envelope, Deadline deadline) {
  const CallCount counted(runs_);
  if (!counted) co_return fail(ErrorCode::server_shutdown, "file hooks are closed");
  const auto path = (options_.directory / envelope.event_name).string();
  // Before a slot is waited for: an event that nobody wants waits for no program.
  const auto presence = co_await run_blocking(*pool_, [this, &path](std::span<std::byte>) {
    return look_for(path, options_.directory.string());
  });
  if (!presence) co_return fail(presence.error());
  if (*presence == Presence::missing) co_return TransportReply();

  const auto event = envelope.event_name;
  auto slot = co_await slots_->take(deadline);
  if (!slot) {
    co_return fail(ErrorCode::overloaded, "no turn for the hook " + event + " within its time");
  }
  auto program = co_await start(std::move(envelope), std::move(*slot), deadline);
  if (!program) co_return fail(program.error());
  const auto end = Clock::now() + options_.timeout;
  const auto last = Deadline::at(end).sooner(deadline);
  const bool ended = co_await (*program)->ended().wait(Deadline::after(last.when(), time_to_die));
  runs_->remove(program->get());
  if (!ended) co_return fail(ErrorCode::internal, "the hook " + event + " cannot be killed");
  co_return reply_of(event, std::move((*program)->outcome()));
}

Awaitable<Result<std::shared_ptr<Program>>> FileTransport::start(Envelope envelope,
                                                                 Slots::Slot slot,
                                                                 Deadline deadline) {
  const auto spec = spec_of(envelope);
  if (deadline.passed(Clock::now())) {
    co_return fail(ErrorCode::overloaded, "no time left for the hook " + envelope.event_name);
  }
  auto spawned = co_await run_blocking(
      *pool_, [&spec](std::span<std::byte>) { return spawn(spec); }, Blocking::for_long);
  if (!spawned) co_return fail(describe_failure(spec, spawned.error()));
  ProgramOptions options;
  options.input = std::move(envelope.body);
  options.largest_output = options_.largest_output;
  options.deadline = Deadline::after(Clock::now(), options_.timeout).sooner(deadline);
  auto program =
      Program::run(executor_, std::move(*spawned), std::move(options),
                   OutputLog(logger_, envelope.event_name, envelope.upload_id), std::move(slot));
  runs_->add(program);
  co_return program;
}

Result<TransportReply> FileTransport::reply_of(const std::string& event, Outcome outcome) const {
  const auto hook = "the hook " + event;
  switch (outcome.ending) {
    case Ending::exited:
      return reply_of_exit(hook, std::move(outcome));
    case Ending::signalled:
      return fail(ErrorCode::internal, hook + " was killed by signal " +
                                           std::to_string(outcome.code) + quote(outcome.output));
    case Ending::timed_out:
      return fail(ErrorCode::internal,
                  hook + " was killed because its time was over" + quote(outcome.output));
    case Ending::closed:
      return fail(ErrorCode::server_shutdown, hook + " was killed because we stop");
    case Ending::too_much_output:
      return fail(ErrorCode::internal, hook + " wrote more than " +
                                           std::to_string(options_.largest_output) +
                                           " bytes to its stdout" + quote(outcome.output));
    case Ending::lost:
      break;
  }
  return fail(ErrorCode::internal, hook + " was lost: " + message_of(outcome.code));
}

Result<TransportReply> FileTransport::reply_of_exit(const std::string& hook,
                                                    Outcome outcome) const {
  TransportReply reply;
  if (outcome.code == 0) {
    reply.body = std::move(outcome.output);
    return reply;
  }
  if (options_.format == Format::v2) {
    return fail(ErrorCode::internal,
                hook + " ended with code " + std::to_string(outcome.code) + quote(outcome.output));
  }
  reply.refused = true;
  reply.exit_code = outcome.code;
  reply.body = std::move(outcome.errors.empty() ? outcome.output : outcome.errors);
  return reply;
}

Awaitable<void> FileTransport::close(Deadline deadline) {
  auto runs = runs_;
  slots_->close();
  runs->close(deadline);
  co_await runs->idle().wait(Deadline::after(deadline.when(), 2 * time_to_die));
}

}  // namespace

std::unique_ptr<Transport> make_file_transport(FileHookOptions options,
                                               std::shared_ptr<BlockingPool> pool,
                                               asio::any_io_executor executor,
                                               std::shared_ptr<Logger> logger) {
  return std::make_unique<FileTransport>(std::move(options), std::move(pool), std::move(executor),
                                         std::move(logger));
}

}  // namespace tus::hooks
