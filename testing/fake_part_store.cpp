#include "testing/part_look.h"

#include <tus/testing/fake_part_store.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

using Record = FakeBucket::Record;
using Rest = FakeBucket::Rest;

constexpr std::size_t page_size = 50;

// Where a join is. What is written of it lies in parts that do not count yet.
struct JoinRun {
  std::size_t part = 0;  // of the upload's list
  std::uint64_t at = 0;  // in it
  std::size_t written = 0;
  std::uint64_t size = 0;
  std::string buffer;
};

// Everything but the record.
Awaitable<Status> clear(FakeBucket& bucket, UploadId id, std::uint64_t token) {
  auto done = co_await bucket.delete_object(id);
  if (done) done = co_await bucket.delete_parts_from(id, 1, token);
  if (done) done = co_await bucket.delete_rests(id);
  co_return done;
}

class PartUpload final : public Upload {
 public:
  PartUpload(std::shared_ptr<FakeBucket> bucket, std::size_t part_size, Seen seen)
      : bucket_(std::move(bucket)), part_size_(part_size), seen_(std::move(seen)) {}

  const UploadInfo& info() const noexcept override { return seen_.record.info; }

  Awaitable<AppendOutcome> append(const Lease& lease, BodySource& source, AppendRequest request,
                                  Deadline) override;
  Awaitable<Status> commit_staged(const Lease& lease, Deadline) override;
  Awaitable<Status> rollback_staged(const Lease& lease, Deadline) override;
  Awaitable<Status> declare_length(const Lease& lease, std::uint64_t length, Deadline) override;
  Awaitable<Status> set_finish_state(const Lease& lease, FinishState state, Deadline) override;
  Awaitable<Status> finish(const Lease& lease, Deadline deadline) override;
  Awaitable<Status> terminate(const Lease& lease, Deadline) override;
  void set_digest(UploadDigest digest) override { seen_.record.info.digest = std::move(digest); }
  Awaitable<Status> save_digest(const Lease& lease, Deadline) override {
    co_return co_await put(lease, seen_.record);
  }
  Awaitable<Result<Joined>> concatenate(const Lease& lease, Deadline deadline) override;

  // Drops what an append that was never committed has left.
  Awaitable<Status> roll_back(const Lease& lease);
  Awaitable<Status> keep_first(const Lease& lease, std::string first);

 private:
  // Where an append is. Everything up to `stored` survives us.
  struct Run {
    bool staged = false;
    bool begun = false;
    int rest = 0;  // the .part object that it writes
    std::size_t parts = 0;
    std::string buffer;  // behind the last part
    std::uint64_t stored = 0;
    std::optional<Error> error;
  };

  Awaitable<Status> put(const Lease& lease, Record record);
  Awaitable<Status> may_write(const Lease& lease);
  Awaitable<Status> begin(const Lease& lease, Run& run);
  Awaitable<void> write_parts(const Lease& lease, Run& run);
  Awaitable<void> write_rest(const Lease& lease, Run& run);
  Awaitable<Result<Joined>> join_some(const Lease& lease, Deadline deadline);
  Awaitable<Status> join_piece(const Lease& lease);
  Awaitable<Result<Joined>> show_joined(const Lease& lease, Deadline deadline);

  std::shared_ptr<FakeBucket> bucket_;
  std::size_t part_size_;
  Seen seen_;
  std::optional<Run> staged_;  // awaits commit
  std::optional<JoinRun> join_;
};

// Under S3 a look at the lease is all there is; the record's token stands for a conditional request.
Awaitable<Status> PartUpload::may_write(const Lease& lease) {
  if (lease.lost()) co_return fail(ErrorCode::lease_lost);
  auto record = co_await bucket_->get_record(seen_.record.info.id);
  if (!record && record.error() == ErrorCode::upload_not_found) {
    co_return fail(ErrorCode::upload_gone);
  }
  if (!record) co_return fail(record.error());
  if (record->going) co_return fail(ErrorCode::upload_gone);
  if (lease.token() < record->token) co_return fail(ErrorCode::lease_lost);
  co_return Status();
}

Awaitable<Status> PartUpload::put(const Lease& lease, Record record) {
  if (lease.lost()) co_return fail(ErrorCode::lease_lost);
  record.token = lease.token();
  auto done = co_await bucket_->put_record(record);
  ++record.version;
  if (done) seen_.record = std::move(record);
  co_return done;
}

Awaitable<Status> PartUpload::roll_back(const Lease& lease) {
  // Also by who has nothing to take back: parts of a younger writer are not to be touched.
  auto may = co_await may_write(lease);
  if (!may) co_return may;
  staged_.reset();
  if (!seen_.record.pending_parts) co_return Status();
  auto id = seen_.record.info.id;
  auto dropped =
      co_await bucket_->delete_parts_from(id, *seen_.record.pending_parts + 1, lease.token());
  if (!dropped) co_return dropped;
  auto record = seen_.record;
  record.pending_parts.reset();
  co_return co_await put(lease, std::move(record));
}

Awaitable<Status> PartUpload::begin(const Lease& lease, Run& run) {
  auto may = co_await may_write(lease);
  if (!may) co_return may;
  auto clean = co_await roll_back(lease);
  if (!clean) co_return clean;
  run.rest = seen_.record.live_rest;
  run.parts = seen_.parts;
  run.buffer = seen_.rest;
  run.stored = seen_.record.info.offset;
  run.begun = true;
  if (!run.staged) co_return Status();
  run.rest = 1 - run.rest;
  auto record = seen_.record;
  record.pending_parts = seen_.parts;
  auto pending = co_await put(lease, std::move(record));
  run.begun = pending.has_value();
  co_return pending;
}

Awaitable<AppendOutcome> PartUpload::append(const Lease& lease, BodySource& source,
                                            AppendRequest request, Deadline) {
  AppendOutcome outcome;
  auto& info = seen_.record.info;
  Run run;
  run.staged = request.mode == AppendRequest::Mode::staged;
  if (request.offset != info.offset) run.error = Error(ErrorCode::mismatched_offset);
  if (!run.error) {
    auto begun = co_await begin(lease, run);
    if (!begun) run.error = begun.error();
  }
  std::string piece(part_size_, '\0');
  while (!run.error) {
    outcome.body = co_await source.wait();
    auto moved = source.pull(std::as_writable_bytes(std::span(piece)));
    run.buffer.append(piece, 0, static_cast<std::size_t>(moved.bytes));
    co_await write_parts(lease, run);
    outcome.body = moved.state;
    if (moved.bytes == 0 && moved.state != BodyState::open) break;
  }
  if (!run.error) co_await write_rest(lease, run);
  outcome.error = run.error;
  if (outcome.error) outcome.body = source.state();
  outcome.staged_offset = std::max(run.stored, info.offset);
  if (run.begun) {
    info.last_activity = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  }
  if (run.staged) {
    if (run.begun) staged_ = std::move(run);
  } else if (run.stored > info.offset) {
    info.offset = run.stored;
  }
  outcome.safe_offset = info.offset;
  co_return outcome;
}

Awaitable<void> PartUpload::write_parts(const Lease& lease, Run& run) {
  while (run.buffer.size() >= part_size_ && !run.error) {
    auto may = co_await may_write(lease);
    auto bytes = run.buffer.substr(0, part_size_);
    auto done = may;
    if (may)
      done = co_await bucket_->put_part(info().id, run.parts + 1, std::move(bytes), lease.token());
    if (!done) {
      run.error = done.error();
      co_return;
    }
    ++run.parts;
    run.buffer.erase(0, part_size_);
    // Bytes of the .part object were stored before, and are in this part now.
    auto known = run.parts == seen_.parts + 1 ? seen_.rest.size() : 0;
    run.stored += part_size_ - known;
    if (run.staged) continue;
    seen_.parts = run.parts;
    seen_.rest.clear();
  }
}

Awaitable<void> PartUpload::write_rest(const Lease& lease, Run& run) {
  bool unchanged = run.parts == seen_.parts && run.buffer == seen_.rest && !run.staged;
  if (unchanged) co_return;
  auto may = co_await may_write(lease);
  auto done = may;
  Rest rest;
  rest.after = run.parts;
  rest.bytes = run.buffer;
  if (may) done = co_await bucket_->put_rest(info().id, run.rest, std::move(rest), lease.token());
  if (!done) {
    run.error = done.error();
    co_return;
  }
  auto known = run.parts == seen_.parts ? seen_.rest.size() : 0;
  run.stored += run.buffer.size() - known;
  if (!run.staged) seen_.rest = run.buffer;
}

Awaitable<Status> PartUpload::commit_staged(const Lease& lease, Deadline) {
  auto may = co_await may_write(lease);
  if (!may || !staged_) co_return may;
  // One put makes parts and rest count together.
  auto record = seen_.record;
  record.pending_parts.reset();
  record.live_rest = staged_->rest;
  record.info.offset = staged_->stored;
  auto done = co_await put(lease, std::move(record));
  if (!done) co_return done;
  seen_.parts = staged_->parts;
  seen_.rest = staged_->buffer;
  staged_.reset();
  co_return done;
}

Awaitable<Status> PartUpload::rollback_staged(const Lease& lease, Deadline) {
  co_return co_await roll_back(lease);
}

Awaitable<Status> PartUpload::declare_length(const Lease& lease, std::uint64_t length, Deadline) {
  auto record = seen_.record;
  record.info.length = length;
  co_return co_await put(lease, std::move(record));
}

Awaitable<Status> PartUpload::set_finish_state(const Lease& lease, FinishState state, Deadline) {
  auto record = seen_.record;
  record.info.finish = state;
  co_return co_await put(lease, std::move(record));
}

Awaitable<Status> PartUpload::finish(const Lease& lease, Deadline deadline) {
  auto may = co_await may_write(lease);
  if (!may) co_return may;
  if (!info().has_all_bytes()) co_return fail(ErrorCode::upload_not_finished);
  auto id = info().id;
  // A finish whose answer was lost is found done.
  auto object = co_await bucket_->object_size(id);
  if (!object) co_return fail(object.error());
  if (*object) co_return **object == info().offset ? Status() : fail(ErrorCode::upload_damaged);
  auto clean = co_await roll_back(lease);
  if (!clean) co_return clean;
  if (!seen_.rest.empty() || seen_.parts == 0) {
    auto stored = co_await bucket_->put_part(id, seen_.parts + 1, seen_.rest, lease.token());
    if (!stored) co_return stored;
    ++seen_.parts;
    seen_.rest.clear();
  }
  auto done = co_await bucket_->complete(id, lease.token(), deadline);
  if (!done) co_return done;
  co_return co_await bucket_->delete_rests(id);
}

Awaitable<Status> PartUpload::terminate(const Lease& lease, Deadline) {
  auto may = co_await may_write(lease);
  if (!may) co_return may;
  // From here on it is no upload: what a crash leaves is not one with fewer bytes.
  auto record = seen_.record;
  record.going = true;
  auto going = co_await put(lease, std::move(record));
  if (!going) co_return going;
  auto cleared = co_await clear(*bucket_, info().id, lease.token());
  if (!cleared) co_return cleared;
  co_return co_await bucket_->delete_record(info().id);
}

Awaitable<Result<Joined>> PartUpload::concatenate(const Lease& lease, Deadline deadline) {
  if (!info().join_pending) co_return Joined::wholly;
  auto joined = co_await join_some(lease, deadline);
  if (!joined) {
    join_.reset();
    (void)co_await bucket_->delete_parts_from(info().id, 1, lease.token());
  }
  co_return joined;
}

Awaitable<Result<Joined>> PartUpload::join_some(const Lease& lease, Deadline deadline) {
  auto may = co_await may_write(lease);
  if (!may) co_return fail(may.error());
  if (!join_) {
    // What another object, or process, has left is not gone on with; but it may have come to the end.
    auto object = co_await bucket_->object_size(info().id);
    if (!object) co_return fail(object.error());
    if (*object) co_return co_await show_joined(lease, deadline);
    (void)co_await bucket_->delete_parts_from(info().id, 1, lease.token());
    join_.emplace();
  }
  while (join_->part < info().partial_uploads.size()) {
    if (lease.lost()) co_return fail(ErrorCode::lease_lost);
    auto done = co_await join_piece(lease);
    if (!done) co_return fail(done.error());
    if (deadline.passed(std::chrono::steady_clock::now())) co_return Joined::partly;
  }
  if (join_->size != info().length) co_return fail(ErrorCode::upload_damaged);
  if (!join_->buffer.empty() || join_->written == 0) {
    auto put =
        co_await bucket_->put_part(info().id, ++join_->written, join_->buffer, lease.token());
    if (!put) co_return fail(put.error());
  }
  auto whole = co_await bucket_->complete(info().id, lease.token(), deadline);
  if (!whole) co_return fail(whole.error());
  co_return co_await show_joined(lease, deadline);
}

Awaitable<Status> PartUpload::join_piece(const Lease& lease) {
  auto& join = *join_;
  auto id = UploadId::parse(info().partial_uploads[join.part]);
  if (!id) co_return fail(ErrorCode::upload_gone);
  auto piece = co_await bucket_->get_object(*id, join.at, part_size_);
  if (!piece) {
    bool gone = piece.error() == ErrorCode::upload_not_found;
    co_return fail(gone ? Error(ErrorCode::upload_gone) : piece.error());
  }
  join.at += piece->size();
  join.size += piece->size();
  if (piece->empty()) {
    ++join.part;
    join.at = 0;
  }
  join.buffer += *piece;
  if (join.buffer.size() < part_size_) co_return Status();
  auto bytes = join.buffer.substr(0, part_size_);
  join.buffer.erase(0, part_size_);
  co_return co_await bucket_->put_part(info().id, ++join.written, std::move(bytes), lease.token());
}

Awaitable<Result<Joined>> PartUpload::show_joined(const Lease& lease, Deadline) {
  auto object = co_await bucket_->object_size(info().id);
  if (!object) co_return fail(object.error());
  if (*object != info().length) co_return fail(ErrorCode::upload_damaged);
  auto record = seen_.record;
  record.info.join_pending = false;
  record.info.offset = **object;
  auto shown = co_await put(lease, std::move(record));
  if (!shown) co_return fail(shown.error());
  join_.reset();
  seen_.has_object = true;
  co_return Joined::wholly;
}

// The first bytes of a new upload, as the append of a body that is already here.
Awaitable<Status> PartUpload::keep_first(const Lease& lease, std::string first) {
  Run run;
  run.buffer = std::move(first);
  co_await write_parts(lease, run);
  if (!run.error) co_await write_rest(lease, run);
  seen_.record.info.offset = run.stored;
  seen_.record.info.last_activity =
      std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  if (run.error) co_return fail(*run.error);
  co_return Status();
}

class PartReadStream final : public ReadStream {
 public:
  PartReadStream(std::shared_ptr<FakeBucket> bucket, UploadId id, ByteRange range)
      : bucket_(std::move(bucket)), id_(std::move(id)), range_(range) {}

  Awaitable<Result<std::size_t>> read(std::span<std::byte> into, Deadline) override {
    auto count = std::min<std::uint64_t>(into.size(), range_.count);
    auto bytes = co_await bucket_->get_object(id_, range_.first, count);
    if (!bytes) co_return fail(bytes.error());
    std::memcpy(into.data(), bytes->data(), bytes->size());
    range_.first += bytes->size();
    range_.count -= bytes->size();
    co_return bytes->size();
  }

 private:
  std::shared_ptr<FakeBucket> bucket_;
  UploadId id_;
  ByteRange range_;
};

class PartStore final : public Store {
 public:
  PartStore(std::shared_ptr<FakeBucket> bucket, std::size_t part_size)
      : bucket_(std::move(bucket)), part_size_(part_size) {}

  StoreCapabilities capabilities() const noexcept override {
    StoreCapabilities can;
    can.staged_append = true;
    can.keeps_digest = true;
    can.concatenate = true;
    return can;
  }

  Awaitable<Result<std::unique_ptr<Upload>>> create(UploadDraft draft, const Lease& lease,
                                                    std::span<const std::byte> first,
                                                    Deadline deadline) override;
  Awaitable<Result<std::unique_ptr<Upload>>> open(UploadId id, const Lease& lease,
                                                  Deadline) override;
  Awaitable<Result<UploadInfo>> inspect(UploadId id, Deadline) override;
  Awaitable<Result<std::unique_ptr<ReadStream>>> read(UploadId id, ByteRange range,
                                                      Deadline) override;
  std::unique_ptr<UploadScan> scan(ScanOptions options) override;

  Awaitable<Result<std::vector<UploadId>>> pending_joins(Deadline) override {
    co_return co_await bucket_->ids_of_joins();
  }
  Awaitable<Result<StoreUsage>> usage(Deadline) override {
    co_return StoreUsage{bucket_->bytes(), bucket_->uploads()};
  }
  Awaitable<Status> health(Deadline) override { co_return Status(); }
  Awaitable<void> close(Deadline) override { co_return; }

 private:
  std::shared_ptr<FakeBucket> bucket_;
  std::size_t part_size_;
};

Record record_of(UploadDraft draft, std::uint64_t token) {
  Record record;
  record.info = info_of(std::move(draft));
  record.info.storage["Type"] = "fakepartstore";
  record.token = token;
  return record;
}

Awaitable<Result<std::unique_ptr<Upload>>> PartStore::create(UploadDraft draft, const Lease& lease,
                                                             std::span<const std::byte> first,
                                                             Deadline deadline) {
  if (lease.lost()) co_return fail(ErrorCode::lease_lost);
  bool finished = draft.finish == FinishState::finished;
  // Not before the object is there.
  if (finished) draft.finish = FinishState::pending;
  Seen seen;
  seen.record = record_of(std::move(draft), lease.token());
  auto old = co_await bucket_->get_record(seen.record.info.id);
  if (old && old->going) {
    // What a termination has left that was cut off; without the lock it may still be running.
    if (lease.token() == 0) co_return fail(ErrorCode::upload_exists);
    auto cleared = co_await clear(*bucket_, seen.record.info.id, lease.token());
    if (!cleared) co_return fail(cleared.error());
  }
  auto made = co_await bucket_->create_record(seen.record);
  if (!made) co_return fail(made.error());
  auto upload = std::make_unique<PartUpload>(bucket_, part_size_, std::move(seen));
  auto text = std::string(reinterpret_cast<const char*>(first.data()), first.size());
  auto done = co_await upload->keep_first(lease, std::move(text));
  if (done && finished) done = co_await upload->finish_and_record(lease, deadline);
  if (!done) {
    (void)co_await upload->terminate(lease, deadline);
    co_return fail(done.error());
  }
  co_return upload;
}

Awaitable<Result<std::unique_ptr<Upload>>> PartStore::open(UploadId id, const Lease& lease,
                                                           Deadline) {
  if (lease.lost()) co_return fail(ErrorCode::lease_lost);
  // Before the look, so that no older writer adds anything behind it.
  auto claimed = co_await bucket_->claim(id, lease.token());
  if (!claimed) {
    bool missing = claimed.error() == ErrorCode::upload_gone;
    co_return fail(missing ? Error(ErrorCode::upload_not_found) : claimed.error());
  }
  auto seen = co_await look(*bucket_, std::move(id));
  if (!seen) co_return fail(seen.error());
  auto upload = std::make_unique<PartUpload>(bucket_, part_size_, *std::move(seen));
  auto done = co_await upload->roll_back(lease);
  if (!done) co_return fail(done.error());
  co_return upload;
}

Awaitable<Result<UploadInfo>> PartStore::inspect(UploadId id, Deadline) {
  auto seen = co_await look(*bucket_, std::move(id));
  if (!seen) co_return fail(seen.error());
  co_return std::move(seen->record.info);
}

Awaitable<Result<std::unique_ptr<ReadStream>>> PartStore::read(UploadId id, ByteRange range,
                                                               Deadline) {
  auto seen = co_await look(*bucket_, id);
  if (!seen) co_return fail(seen.error());
  // The parts of a multipart upload cannot be read.
  if (!seen->has_object) co_return fail(ErrorCode::upload_not_finished);
  co_return std::make_unique<PartReadStream>(bucket_, std::move(id), range);
}

// A list of the records, and a look at each of them.
class PartScan final : public UploadScan {
 public:
  PartScan(std::shared_ptr<FakeBucket> bucket, ScanOptions options)
      : bucket_(std::move(bucket)), idle_since_(options.idle_since) {}

  Awaitable<Result<ScanPage>> next(Deadline) override {
    auto ids = co_await bucket_->ids_behind(last_, page_size);
    if (!ids) co_return fail(ids.error());
    ScanPage page;
    page.at_end = ids->size() < page_size;
    for (auto& id : *ids) {
      last_ = id.str();
      auto seen = co_await look(*bucket_, std::move(id));
      if (!seen && seen.error() == ErrorCode::store_unavailable) co_return fail(seen.error());
      if (seen && is_wanted(seen->record.info)) {
        page.uploads.push_back(std::move(seen->record.info));
      }
    }
    co_return page;
  }

 private:
  bool is_wanted(const UploadInfo& info) const {
    return !idle_since_ || (!info.finished() && info.last_activity < *idle_since_);
  }

  std::shared_ptr<FakeBucket> bucket_;
  std::optional<std::chrono::sys_seconds> idle_since_;
  std::string last_;
};

std::unique_ptr<UploadScan> PartStore::scan(ScanOptions options) {
  return std::make_unique<PartScan>(bucket_, options);
}

}  // namespace

std::shared_ptr<Store> make_fake_part_store(std::shared_ptr<FakeBucket> bucket,
                                            std::size_t part_size) {
  return std::make_shared<PartStore>(std::move(bucket), part_size);
}

}  // namespace testing

TUS_NAMESPACE_END
