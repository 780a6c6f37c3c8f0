#include "stores/file/file_upload.h"

#include "async/run_blocking.h"

#include <algorithm>
#include <utility>

namespace tus::file_store {

namespace {

constexpr std::uint64_t chunk = 4 << 20;         // between two looks at the lease and the clock
constexpr std::uint64_t fast_flow = 256 << 10;   // so much in one job: it is worth to wait for more
constexpr std::uint64_t largest_job = 64 << 20;  // then others of the pool get their turn
constexpr std::chrono::milliseconds longest_job{100};
constexpr std::chrono::microseconds patience{2000};
constexpr std::uint64_t writeback_step = 8 << 20;  // keeps the sync at the end short

}  // namespace

Error gone_if_missing(const Error& error) {
  if (!(error == ErrorCode::upload_not_found)) return error;
  return Error(ErrorCode::upload_gone, error.detail());
}

FileUpload::FileUpload(Context& context, Loaded loaded, std::shared_ptr<Unsafe> unsafe)
    : context_(context),
      handover_(context.handover),
      file_(std::move(loaded.file)),
      data_size_(loaded.data_size),
      unsafe_(std::move(unsafe)) {}

FileUpload::~FileUpload() {
  if (!gone_) handover_->left(file_, data_size_);
}

Awaitable<AppendOutcome> FileUpload::append(const Lease& lease, BodySource& source,
                                            AppendRequest request, Deadline) {
  return go_on(lease, source, start(request));
}

std::unique_ptr<FileUpload::Run> FileUpload::start(AppendRequest request) {
  auto run = std::make_unique<Run>(request, file_.info.offset);
  // What an append before this one has staged is given up, also when this one brings nothing.
  if (!run->error) staged_ = false;
  return run;
}

std::unique_ptr<FileUpload::Run> FileUpload::begin_append(const Lease& lease, BodySource& source,
                                                          AppendRequest request,
                                                          std::span<std::byte> scratch) {
  auto run = start(request);
  if (!run->over()) move_bytes(lease, source, *run, scratch);
  return run;
}

Awaitable<AppendOutcome> FileUpload::go_on(const Lease& lease, BodySource& source,
                                           std::unique_ptr<Run> owned) {
  Run& run = *owned;
  while (!run.over()) {
    if (!run.data && source.buffered().empty()) {
      auto state = co_await source.wait();
      if (state != BodyState::open && source.buffered().empty()) {
        run.body = state;
        break;
      }
    }
    auto job = [&](std::span<std::byte> scratch) {
      move_bytes(lease, source, run, scratch);
      return true;
    };
    co_await run_blocking(*context_.pool, job, context_.appending());
  }
  if (unsettled(run)) {
    auto job = [&](std::span<std::byte>) {
      settle(lease, run);
      return true;
    };
    co_await run_blocking(*context_.pool, job, Blocking::for_long);
  }
  AppendOutcome outcome;
  outcome.body = run.body;
  outcome.error = std::move(run.error);
  if (run.begun) {
    file_.info.last_activity = std::chrono::floor<std::chrono::seconds>(context_.clock->wall());
  }
  outcome.safe_offset = file_.info.offset;
  outcome.staged_offset = std::max(run.at, file_.info.offset);
  co_return outcome;
}

void FileUpload::move_bytes(const Lease& lease, BodySource& source, Run& run,
                            std::span<std::byte> scratch) {
  const auto stop = context_.clock->now() + longest_job;
  const auto largest = find_space(source, run);
  std::uint64_t here = 0;
  while (largest > 0) {
    if (lease.lost()) {
      run.error = Error(ErrorCode::lease_lost);
      break;
    }
    if (!run.data) {
      if (auto begun = begin(run, scratch); !begun) {
        run.error = gone_if_missing(begun.error());
        break;
      }
    }
    const auto most = std::min(chunk, largest - here);
    auto moved = source.move_to_file(run.data.get(), run.at, most, scratch);
    if (moved.bytes > 0) count(run, moved.bytes);
    if (long_unsettled(run)) settle(lease, run);
    if (run.error) break;
    if (moved.file_error != 0) {
      run.error = error_of_errno(moved.file_error, "write", file_.info.id.str());
      undo_partial_write(run);
      break;
    }
    here += moved.bytes;
    bool in_time = here < largest && context_.clock->now() < stop;
    if (moved.bytes > 0) {
      if (in_time) continue;
      return;  // with the file open: the next job goes on at once
    }
    run.body = moved.state;
    bool fast = here >= fast_flow && in_time && !context_.pool->is_crowded();
    if (run.body != BodyState::open || !fast || !source.wait_briefly(patience)) break;
  }
  if (run.over() && unsettled(run)) settle(lease, run);
  close_data(run);
}

// How much this job may write.
std::uint64_t FileUpload::find_space(BodySource& source, Run& run) {
  const auto space = context_.space_to_use();
  if (!space) run.error = space.error();
  if (!space || *space > 0) return std::min(largest_job, space.value_or(0));
  // Whether there is more to write shows when it is asked for.
  std::byte probe{};
  const auto moved = source.pull({&probe, 1});
  if (moved.bytes > 0) {
    run.error = Error(ErrorCode::no_space, "no more is free than has to stay free");
  } else {
    run.body = moved.state;
  }
  return 0;
}

// When the file system says only now that it could not write, all that was written since the file was opened
// may be lost. Nobody was told of it yet.
void FileUpload::close_data(Run& run) {
  if (!run.data) return;
  auto closed = context_.io.close(std::move(run.data));
  if (closed) return;
  run.error = gone_if_missing(closed.error());
  if (run.staged) return;
  // But not what a sync has made safe meanwhile.
  const std::uint64_t safe = unsafe_ ? unsafe_->durable.load() : 0;
  run.at = std::clamp(safe, run.opened_at, run.at);
  file_.info.offset = std::min(file_.info.offset, run.at);
  auto data = open_data(O_WRONLY);
  if (data && context_.io.truncate(data->get(), run.at)) {
    data_size_ = run.at;
  } else {
    unsure_ = true;
  }
}

Status FileUpload::begin(Run& run, std::span<std::byte> scratch) {
  if (gone_) return fail(ErrorCode::upload_gone);
  if (unsure_) {
    auto expected = run.at;
    auto loaded = context_.records.load(file_.info.id, scratch);
    if (!loaded) return fail(loaded.error());
    if (loaded->file.info.offset != expected) return fail(ErrorCode::mismatched_offset);
    file_ = std::move(loaded->file);
    data_size_ = loaded->data_size;
    unsure_ = false;
  }
  auto data = open_data(O_WRONLY);
  if (!data) return fail(data.error());
  if (!run.begun) {
    if (auto ready = make_ready(data->get(), run.staged); !ready) return ready;
    run.begun = true;
    run.written_back = run.at;
    run.settled = context_.clock->now();
  }
  run.data = *std::move(data);
  run.opened_at = run.at;
  return {};
}

// Brings file and record into the state in which every byte that is added counts, or, staged, does not.
Status FileUpload::make_ready(int data, bool staged) {
  const auto offset = file_.info.offset;
  if (data_size_ > offset) {
    if (auto cut = context_.io.truncate(data, offset); !cut) return cut;
    data_size_ = offset;
  }
  auto next = file_;
  next.pending_start = staged ? std::optional(offset) : std::nullopt;
  bool change = next.pending_start != file_.pending_start;

  const auto& old = file_.durable;
  bool other_boot = old && old->boot_id != context_.records.boot_id();
  bool strict = old && old->strict;
  if (context_.off()) {
    // A mark of another policy would hold back what is written now, if only after the next boot.
    next.durable.reset();
  } else if (!old || strict != context_.always() || other_boot) {
    // An upload without a mark was begun under no promise, and nobody knows what of it is safe.
    bool known = old && (strict || other_boot);
    if (!known) {
      if (auto synced = sync_first(data, offset); !synced) return synced;
    }
    next.durable = mark(offset);
  }
  change = change || old.has_value() != next.durable.has_value() ||
           (old && (old->strict != next.durable->strict || old->boot_id != next.durable->boot_id));
  return change ? replace(std::move(next)) : Status();
}

void FileUpload::count(Run& run, std::uint64_t bytes) {
  run.at += bytes;
  data_size_ = run.at;
  if (run.staged) {
    staged_ = true;
  } else if (!context_.always()) {
    file_.info.offset = run.at;
    if (context_.keeper) context_.keeper->wrote(unsafe_, run.at);
  }
  if (context_.off() || run.at - run.written_back < writeback_step) return;
  context_.io.start_writeback(run.data.get(), run.written_back, run.at - run.written_back);
  run.written_back = run.at;
}

void FileUpload::undo_partial_write(Run& run) {
  if (context_.io.truncate(run.data.get(), run.at)) return;
  // What is in the file came from the client in order, so that it may as well count.
  auto size = context_.io.size(run.data.get());
  if (size && *size > run.at) count(run, *size - run.at);
}

bool FileUpload::unsettled(const Run& run) const {
  return context_.always() && !run.staged && run.begun && run.at > file_.info.offset;
}

bool FileUpload::long_unsettled(const Run& run) const {
  if (!unsettled(run)) return false;
  return run.at - file_.info.offset >= context_.options.durable_bytes ||
         context_.clock->now() - run.settled >= context_.options.durable_interval;
}

void FileUpload::settle(const Lease& lease, Run& run) {
  auto safe = file_.info.offset;
  auto done = lease.lost() ? Status(fail(ErrorCode::lease_lost)) : Status();
  if (done && !run.data) {
    auto data = open_data(O_WRONLY);
    if (data) {
      run.data = *std::move(data);
    } else {
      done = fail(data.error());
    }
  }
  if (done) done = sync_first(run.data.get(), run.at);
  if (done) {
    auto next = file_;
    next.durable = mark(run.at);
    next.info.offset = run.at;
    done = replace(std::move(next));
  }
  run.data.reset();
  run.settled = context_.clock->now();
  if (done) return;
  run.at = safe;
  if (!run.error) run.error = gone_if_missing(done.error());
}

Awaitable<Status> FileUpload::commit_staged(const Lease& lease, Deadline) {
  auto job = [&](std::span<std::byte> scratch) { return commit_now(lease, scratch); };
  co_return co_await run_blocking(*context_.pool, job, context_.syncing());
}

Awaitable<Status> FileUpload::rollback_staged(const Lease& lease, Deadline) {
  auto job = [&](std::span<std::byte> scratch) { return rollback_now(lease, scratch); };
  co_return co_await run_blocking(*context_.pool, job, context_.syncing());
}

Awaitable<Status> FileUpload::declare_length(const Lease& lease, std::uint64_t length, Deadline) {
  auto job = [&](std::span<std::byte> scratch) { return declare_now(lease, length, scratch); };
  co_return co_await run_blocking(*context_.pool, job, context_.syncing());
}

Awaitable<Status> FileUpload::set_finish_state(const Lease& lease, FinishState state, Deadline) {
  auto job = [&](std::span<std::byte> scratch) { return set_finish_now(lease, state, scratch); };
  co_return co_await run_blocking(*context_.pool, job, context_.syncing());
}

Awaitable<Status> FileUpload::finish(const Lease& lease, Deadline) {
  auto job = [&](std::span<std::byte> scratch) { return finish_now(lease, scratch); };
  co_return co_await run_blocking(*context_.pool, job, context_.syncing());
}

Awaitable<Status> FileUpload::finish_and_record(const Lease& lease, Deadline) {
  auto job = [&](std::span<std::byte> scratch) {
    // The new record makes the names safe, those of the data too.
    auto finished = sync_bytes(lease, scratch);
    return finished ? set_finish_now(lease, FinishState::finished, scratch) : finished;
  };
  co_return co_await run_blocking(*context_.pool, job, context_.syncing());
}

Awaitable<Status> FileUpload::save_digest(const Lease& lease, Deadline) {
  auto job = [&](std::span<std::byte> scratch) -> Status {
    auto digest = file_.info.digest;
    if (auto may = may_change(lease, scratch); !may) return may;
    auto next = file_;
    next.info.digest = std::move(digest);
    return replace(std::move(next));
  };
  co_return co_await run_blocking(*context_.pool, job, context_.syncing());
}

Awaitable<Status> FileUpload::terminate(const Lease& lease, Deadline) {
  auto job = [&](std::span<std::byte>) { return terminate_now(lease); };
  co_return co_await run_blocking(*context_.pool, job);
}

}  // namespace tus::file_store
