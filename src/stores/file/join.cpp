#include "stores/file/join.h"

#include "async/run_blocking.h"
#include "stores/file/file_upload.h"
#include "stores/file/join_marks.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>
#include <utility>

namespace tus::file_store {

namespace {

constexpr std::uint64_t chunk = 16 << 20;        // between two looks at the lease and the clock
constexpr std::uint64_t largest_job = 64 << 20;  // then others of the pool get their turn
constexpr std::chrono::milliseconds longest_job{100};
constexpr std::uint64_t writeback_step = 8 << 20;  // keeps the sync at the end short

Error part_gone(const Error& error) {
  if (!(error == ErrorCode::upload_not_found)) return error;
  return Error(ErrorCode::upload_gone, "a part: " + error.detail());
}

// Errors that say "not between these two files", and nothing about the files.
bool cannot_copy(int code) {
  return code == EXDEV || code == EOPNOTSUPP || code == ENOSYS || code == EINVAL || code == EPERM;
}

}  // namespace

JoinWork::JoinWork(Context& context, const InfoFile& file) : context_(context), file_(file) {}

Result<Joined> JoinWork::work(const Lease& lease, std::span<std::byte> scratch) {
  stop_ = context_.clock->now() + longest_job;
  done_ = 0;
  most_ = largest_job;
  const auto count = file_.info.partial_uploads.size();
  for (bool first = true;; first = false) {
    if (lease.lost()) return fail(ErrorCode::lease_lost);
    if (!first && time_is_up()) break;
    auto done = Status();
    if (sizes_.size() < count) {
      done = measure_part(scratch);
    } else if (!data_) {
      done = find_start();
    } else if (part_ < count) {
      done = copy_some(scratch);
    } else {
      return make_safe();
    }
    if (!done) return fail(done.error());
  }
  return Joined::partly;
}

Status JoinWork::measure_part(std::span<std::byte> scratch) {
  const auto id = UploadId::parse(file_.info.partial_uploads[sizes_.size()]);
  if (!id) return fail(ErrorCode::upload_gone, "not an id of a part");
  auto part = context_.records.load(*id, scratch);
  if (!part) return fail(part_gone(part.error()));
  const auto& info = part->file.info;
  if (!info.has_all_bytes()) return fail(ErrorCode::upload_not_finished);
  sizes_.push_back(info.offset);
  sum_ += info.offset;
  return {};
}

// Bytes are written in their order, so what a process that died has left is the beginning of the upload.
// Of its last call nothing is known, and that is done again.
Status JoinWork::find_start() {
  if (sum_ != file_.info.length)
    return fail(ErrorCode::upload_damaged, "the parts have another size");
  auto data = context_.records.open_data(file_, O_WRONLY);
  if (!data) return fail(data.error());
  auto size = context_.io.size(data->get());
  if (!size) return fail(size.error());
  where_ = *size > sum_ ? 0 : *size - std::min(*size, chunk);
  if (*size > sum_) {
    if (auto cut = context_.io.truncate(data->get(), 0); !cut) return cut;
  }
  written_back_ = at_ = where_;
  for (part_ = 0; part_ < sizes_.size() && at_ >= sizes_[part_]; ++part_) at_ -= sizes_[part_];
  data_ = *std::move(data);
  return {};
}

Status JoinWork::open_part(std::span<std::byte> scratch) {
  const auto id = UploadId::parse(file_.info.partial_uploads[part_]);
  auto part = id ? context_.records.load(*id, scratch) : fail(ErrorCode::upload_gone);
  if (!part) return fail(part_gone(part.error()));
  auto source = context_.records.open_data(part->file, O_RDONLY);
  if (!source) return fail(part_gone(source.error()));
  source_ = *std::move(source);
  by_hand_ = false;
  return {};
}

Result<std::uint64_t> JoinWork::copy(std::uint64_t most, std::span<std::byte> scratch) {
  while (!by_hand_) {
    const auto copied = context_.machine.calls->copy_file_range(
        source_.get(), static_cast<off_t>(at_), data_.get(), static_cast<off_t>(where_), most);
    if (copied > 0) return static_cast<std::uint64_t>(copied);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0 && !cannot_copy(errno)) {
      return fail(error_of_errno(errno, "copy into", file_.info.id.str()));
    }
    by_hand_ = true;
  }
  const auto piece = scratch.first(std::min<std::uint64_t>(scratch.size(), most));
  auto got = context_.io.read(source_.get(), at_, piece);
  if (!got) return fail(got.error());
  if (*got == 0) return fail(ErrorCode::upload_damaged, "a part has become short");
  auto written = context_.io.write(data_.get(), where_, piece.first(*got));
  if (!written) return fail(written.error());
  return *got;
}

Status JoinWork::copy_some(std::span<std::byte> scratch) {
  const auto left = sizes_[part_] - at_;
  if (left == 0) {
    ++part_;
    at_ = 0;
    source_.reset();
    return {};
  }
  if (!source_) {
    if (auto opened = open_part(scratch); !opened) return opened;
  }
  auto copied = copy(std::min(left, chunk), scratch);
  if (!copied) {
    // It may be the room that others need, and half a join is of use to nobody.
    if (copied.error() == ErrorCode::no_space) (void)context_.io.truncate(data_.get(), 0);
    return fail(copied.error());
  }
  at_ += *copied;
  where_ += *copied;
  done_ += *copied;
  if (context_.off() || where_ - written_back_ < writeback_step) return {};
  context_.io.start_writeback(data_.get(), written_back_, where_ - written_back_);
  written_back_ = where_;
  return {};
}

Result<Joined> JoinWork::make_safe() {
  auto size = context_.io.size(data_.get());
  if (!size) return fail(size.error());
  if (*size != sum_) return fail(ErrorCode::upload_damaged, "the joined data has another size");
  auto done = context_.off() ? Status() : context_.io.sync_data(data_.get());
  // Which of the bytes are on the disk nobody knows then, and the kernel may call lost pages clean.
  if (!done) (void)context_.io.truncate(data_.get(), 0);
  if (done) done = context_.io.close(std::move(data_));
  if (!done) return fail(done.error());
  return Joined::wholly;
}

// ---- the upload's side

Awaitable<Result<Joined>> FileUpload::concatenate(const Lease& lease, Deadline deadline) {
  auto job = [&](std::span<std::byte> scratch) {
    return context_.checked(join_now(lease, scratch));
  };
  for (;;) {
    auto joined = co_await run_blocking(*context_.pool, job, Blocking::for_long);
    if (!joined || *joined == Joined::wholly) co_return joined;
    if (deadline.passed(context_.clock->now())) co_return joined;
  }
}

Result<Joined> FileUpload::join_now(const Lease& lease, std::span<std::byte> scratch) {
  if (auto may = may_change(lease, scratch); !may) return fail(may.error());
  if (!file_.info.join_pending) return Joined::wholly;
  if (!join_) {
    if (auto begun = begin_join(); !begun) return fail(begun.error());
    join_ = std::make_unique<JoinWork>(context_, file_);
  }
  auto joined = join_->work(lease, scratch);
  if (joined && *joined == Joined::partly) return joined;
  join_.reset();
  if (!joined) return joined;
  if (auto ended = end_join(); !ended) return fail(ended.error());
  return Joined::wholly;
}

// Bytes of before a power cut may be zeros. Which machine has written them is recorded before the first.
Status FileUpload::begin_join() {
  const auto& boot_id = context_.records.boot_id();
  if (file_.join_boot_id == boot_id && boot_id != unknown_boot_id) return {};
  auto data = open_data(O_WRONLY);
  if (!data) return fail(data.error());
  if (auto cut = context_.io.truncate(data->get(), 0); !cut) return cut;
  auto next = file_;
  next.join_boot_id = boot_id;
  return replace(std::move(next));
}

// The bytes are safe; this makes them count, all at once.
Status FileUpload::end_join() {
  const auto length = file_.info.length.value_or(0);
  // The keeper knows of no bytes of this upload, and would say so in a mark.
  if (context_.keeper) context_.keeper->forget(file_.info.id);
  unsafe_.reset();
  auto next = file_;
  next.info.join_pending = false;
  next.info.offset = length;
  next.join_boot_id.clear();
  next.durable.reset();
  if (!context_.off() && next.info.finish != FinishState::finished) next.durable = mark(length);
  if (auto shown = replace(std::move(next)); !shown) return shown;
  data_size_ = length;
  remove_join_mark(context_, file_.info.id);
  return {};
}

}  // namespace tus::file_store
