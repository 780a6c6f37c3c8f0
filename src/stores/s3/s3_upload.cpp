#include "stores/s3/s3_upload.h"

#include "stores/s3/completion.h"

#include <algorithm>
#include <utility>

namespace tus::s3 {

// ---- bytes

Awaitable<AppendOutcome> S3Upload::append(const Lease& lease, BodySource& source,
                                          AppendRequest request, Deadline) {
  AppendOutcome outcome;
  outcome.safe_offset = outcome.staged_offset = info().offset;
  const auto may = work_.may_write(lease);
  if (!may || request.offset != info().offset) {
    outcome.error = may ? Error(ErrorCode::mismatched_offset) : may.error();
    co_return outcome;
  }
  // What an append before this one has staged is given up, also when this one brings nothing.
  co_await give_up_staged();
  const bool staged = request.mode == AppendRequest::Mode::staged;
  AppendRun run(work_, lease, source, staged ? PartsGo::aside : PartsGo::into_the_upload);
  co_await run.run();
  outcome.safe_offset = outcome.staged_offset = info().offset;
  if (staged && run.end() > info().offset) {
    outcome.staged_offset = run.end();
    staged_.emplace(run.take_aside());
  }
  if (run.error()) {
    outcome.error = std::move(run.error());
  } else {
    outcome.body = run.body();
  }
  co_return outcome;
}

Awaitable<void> S3Upload::give_up_staged() {
  if (!staged_) co_return;
  const auto aside = std::move(staged_->upload);
  staged_.reset();
  if (aside.upload.empty()) co_return;
  auto gone = co_await context_.bucket.abort_multipart(aside, context_.deadline());
  if (gone) co_return;
  context_.logger->log(LogLevel::warn, "StagedPartsNotRemoved",
                       {{"id", info().id.str()}, {"cause", gone.error().detail}});
}

Awaitable<Status> S3Upload::rollback_staged(const Lease& lease, Deadline) {
  if (auto may = work_.may_write(lease); !may) co_return may;
  co_await give_up_staged();
  co_return Status();
}

// The bytes have been checked, so it does no harm when a crash leaves only the first of them.
Awaitable<Status> S3Upload::commit_staged(const Lease& lease, Deadline deadline) {
  if (auto may = work_.may_write(lease); !may) co_return may;
  if (!staged_) co_return Status();
  auto ready = co_await work_.claim(lease, deadline);
  if (!ready) co_return ready;
  const bool same_sizes = staged_->parts.empty() || staged_->first_size == first_size(work_.state);
  if (staged_->start != work_.state.ledger.parts_end || !same_sizes) {
    co_return fail(ErrorCode::lease_lost, "others have written meanwhile");
  }
  auto aside = std::move(*staged_);
  staged_.reset();
  auto done = Status();
  if (!aside.parts.empty()) done = co_await copy_aside(lease, aside, deadline);
  if (done) done = co_await keep_tail(lease, std::move(aside.tail), deadline);
  if (!done) {
    work_.become_unsure();
    co_return done;
  }
  if (context_.alone() && !work_.has_new_digest()) co_return done;
  // Whoever remembers the upload has to hear of it; and the digest of its bytes goes with them.
  co_return co_await work_.change(lease, [](stores::InfoFile&) {}, deadline);
}

// Parts cannot be taken out of a multipart upload. So those that wait for their checksum make an object of
// their own, which S3 copies.
Awaitable<Status> S3Upload::copy_aside(const Lease& lease, AppendRun::Aside& aside,
                                       Deadline deadline) {
  std::vector<PartTag> tags;
  for (const auto& part : aside.parts) {
    tags.push_back({static_cast<std::uint32_t>(tags.size() + 1), part.etag});
  }
  auto made = co_await context_.bucket.complete_multipart(aside.upload, std::move(tags), deadline);
  if (!made && made.error().trouble != Trouble::missing) co_return fail(as_error(made.error()));
  std::uint64_t at = 0;
  for (const auto& part : aside.parts) {
    if (auto may = work_.may_write(lease); !may) co_return may;
    const auto number = static_cast<std::uint32_t>(work_.state.ledger.parts.size() + 1);
    auto copied = co_await context_.bucket.copy_part(work_.state.data, number, aside.upload.name,
                                                     ByteRange{at, part.size}, deadline);
    if (!copied) co_return fail(as_error(std::move(copied.error())));
    work_.count_part({part.size, *std::move(copied)});
    at += part.size;
  }
  auto gone = co_await context_.bucket.delete_object(aside.upload.name, deadline);
  if (!gone) {
    context_.logger->log(LogLevel::warn, "StagedPartsNotRemoved",
                         {{"id", info().id.str()}, {"cause", gone.error().detail}});
  }
  co_return Status();
}

Awaitable<Status> S3Upload::keep_tail(const Lease& lease, ByteRun tail, Deadline deadline) {
  if (tail.end() <= info().offset || tail.empty()) co_return Status();
  const auto all = tail.view(tail.size());
  if (info().length != tail.end()) {
    auto kept = co_await work_.put_rest(lease, all, deadline);
    if (kept) work_.tail = std::move(tail);
    co_return kept;
  }
  const auto number = static_cast<std::uint32_t>(work_.state.ledger.parts.size() + 1);
  auto etag = co_await work_.put_part(lease, number, all.payload, deadline);
  if (!etag) co_return fail(std::move(etag.error()));
  work_.count_part({all.size, *std::move(etag)});
  co_return Status();
}

// ---- the record

Awaitable<Status> S3Upload::declare_length(const Lease& lease, std::uint64_t length,
                                           Deadline deadline) {
  return work_.change(
      lease, [length](stores::InfoFile& file) { file.info.length = length; }, deadline);
}

Awaitable<Status> S3Upload::set_finish_state(const Lease& lease, FinishState state,
                                             Deadline deadline) {
  return work_.change(
      lease, [state](stores::InfoFile& file) { file.info.finish = state; }, deadline);
}

void S3Upload::set_digest(UploadDigest digest) { work_.set_digest(std::move(digest)); }

Awaitable<Status> S3Upload::save_digest(const Lease& lease, Deadline deadline) {
  if (auto may = work_.may_write(lease); !may) co_return may;
  if (!work_.has_new_digest()) co_return Status();
  co_return co_await work_.change(lease, [](stores::InfoFile&) {}, deadline);
}

// ---- ends

Awaitable<Status> S3Upload::finish(const Lease& lease, Deadline deadline) {
  co_await give_up_staged();
  co_return co_await complete(work_, lease, deadline);
}

Awaitable<Status> S3Upload::terminate(const Lease& lease, Deadline deadline) {
  if (auto may = work_.may_write(lease); !may) co_return may;
  co_await give_up_staged();
  joining_.reset();
  co_return co_await remove(work_, lease, deadline);
}

Awaitable<Result<Joined>> S3Upload::concatenate(const Lease& lease, Deadline deadline) {
  if (!info().join_pending) co_return Joined::wholly;
  if (!joining_) joining_ = std::make_unique<Joining>(work_);
  auto joined = co_await joining_->go_on(lease, deadline);
  if (!joined || *joined == Joined::wholly) joining_.reset();
  co_return joined;
}

}  // namespace tus::s3
