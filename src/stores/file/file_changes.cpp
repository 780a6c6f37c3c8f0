// The changes of an upload that are one short job each.
#include "stores/file/file_upload.h"
#include "stores/file/join_marks.h"
#include "stores/file/resync.h"

#include <algorithm>
#include <utility>

namespace tus::file_store {

Status FileUpload::may_change(const Lease& lease, std::span<std::byte> scratch) {
  if (lease.lost()) return fail(ErrorCode::lease_lost);
  if (gone_) return fail(ErrorCode::upload_gone);
  if (!unsure_) return {};
  auto loaded = context_.records.load(file_.info.id, scratch);
  if (!loaded) return fail(gone_if_missing(loaded.error()));
  file_ = std::move(loaded->file);
  data_size_ = loaded->data_size;
  unsure_ = false;
  return {};
}

Status FileUpload::replace(InfoFile next) {
  const auto guard = context_.records.guard(next.info.id);
  if (!guard) return fail(guard.error());
  if (unsafe_ && next.durable && !next.durable->strict) {
    next.durable->offset = std::max<std::uint64_t>(next.durable->offset, unsafe_->durable);
  }
  auto done = context_.records.replace(next);
  unsure_ = !done;
  if (!done) return fail(gone_if_missing(done.error()));
  file_ = std::move(next);
  return {};
}

Result<Fd> FileUpload::open_data(int flags) {
  if (context_.keeper && !unsafe_) {
    unsafe_ = context_.keeper->entry(file_.info.id, file_.durable ? file_.durable->offset : 0);
  }
  auto data = context_.records.open_data(file_, flags);
  return data ? std::move(data) : fail(gone_if_missing(data.error()));
}

DurableMark FileUpload::mark(std::uint64_t offset) const {
  return DurableMark{offset, context_.records.boot_id(), context_.always()};
}

Status FileUpload::sync_first(int data, std::uint64_t size) {
  std::uint64_t safe = file_.durable ? file_.durable->offset : 0;
  return sync_surely(context_.io, context_.records, file_, data, {std::min(safe, size), size});
}

Status FileUpload::commit_now(const Lease& lease, std::span<std::byte> scratch) {
  if (auto may = may_change(lease, scratch); !may) return may;
  if (!staged_) return {};
  auto next = file_;
  next.pending_start.reset();
  next.info.offset = data_size_;
  if (context_.always()) {
    auto data = open_data(O_WRONLY);
    if (!data) return fail(data.error());
    if (auto synced = sync_first(data->get(), data_size_); !synced) return synced;
    next.durable = mark(data_size_);
  }
  if (auto done = replace(std::move(next)); !done) return done;
  staged_ = false;
  if (context_.keeper) context_.keeper->wrote(unsafe_, file_.info.offset);
  return {};
}

Status FileUpload::rollback_now(const Lease& lease, std::span<std::byte> scratch) {
  if (auto may = may_change(lease, scratch); !may) return may;
  if (!file_.pending_start) return {};
  auto data = open_data(O_WRONLY);
  if (!data) return fail(data.error());
  // In this order: a record without the start must never meet a file with the bytes.
  if (auto cut = context_.io.truncate(data->get(), file_.info.offset); !cut) return cut;
  data_size_ = file_.info.offset;
  staged_ = false;
  auto next = file_;
  next.pending_start.reset();
  return replace(std::move(next));
}

Status FileUpload::declare_now(const Lease& lease, std::uint64_t length,
                               std::span<std::byte> scratch) {
  if (auto may = may_change(lease, scratch); !may) return may;
  auto next = file_;
  next.info.length = length;
  return replace(std::move(next));
}

Status FileUpload::set_finish_now(const Lease& lease, FinishState state,
                                  std::span<std::byte> scratch) {
  if (auto may = may_change(lease, scratch); !may) return may;
  auto next = file_;
  next.info.finish = state;
  const bool final = state == FinishState::finished;
  if (final) {
    if (auto safe = sync_before_finished(); !safe) return safe;
    next.durable.reset();  // nothing of a finished upload is ever taken back
  }
  if (auto done = replace(std::move(next)); !done) return done;
  if (final && context_.keeper) context_.keeper->forget(file_.info.id);
  return {};
}

// finish() may have succeeded on another object.
Status FileUpload::sync_before_finished() {
  if (synced_ || context_.off()) return {};
  auto data = open_data(O_WRONLY);
  if (!data) return fail(data.error());
  return sync_first(data->get(), file_.info.offset);
}

Status FileUpload::finish_now(const Lease& lease, std::span<std::byte> scratch) {
  auto done = sync_bytes(lease, scratch);
  if (!done || context_.off()) return done;
  auto synced = context_.records.sync_names(file_);
  return synced ? synced : Status(fail(gone_if_missing(synced.error())));
}

Status FileUpload::sync_bytes(const Lease& lease, std::span<std::byte> scratch) {
  if (auto may = may_change(lease, scratch); !may) return may;
  const auto& info = file_.info;
  if (!info.has_all_bytes()) return fail(ErrorCode::upload_not_finished);
  auto data = open_data(O_WRONLY);
  if (!data) return fail(data.error());
  if (data_size_ > info.offset || file_.pending_start) {
    if (auto ready = make_ready(data->get(), false); !ready) return ready;
  }
  auto size = context_.io.size(data->get());
  if (!size) return fail(size.error());
  if (*size != info.offset) return fail(ErrorCode::upload_damaged, "the data file is short");
  if (context_.off()) return {};
  if (auto synced = sync_first(data->get(), info.offset); !synced) return synced;
  synced_ = true;
  return {};
}

// The data goes first: what a crash in between leaves is a small record that no request takes for an
// upload, and not a large file that nobody knows of.
Status FileUpload::remove_files() {
  // Somebody else may have removed them already, with their directory, and has made that safe.
  auto or_gone = [](Status done) {
    return !done && done.error() == ErrorCode::upload_not_found ? Status() : done;
  };
  if (auto removed = or_gone(context_.records.remove_data(file_)); !removed) return removed;
  const auto& id = file_.info.id;
  if (auto removed = or_gone(context_.records.remove(id)); !removed) return removed;
  return context_.always() ? or_gone(context_.layout.sync_directories(id)) : Status();
}

Status FileUpload::terminate_now(const Lease& lease) {
  if (lease.lost()) return fail(ErrorCode::lease_lost);
  const auto& info = file_.info;
  if (gone_) return {};
  const auto guard = context_.records.guard(info.id);
  if (!guard) return fail(guard.error());
  if (context_.keeper) context_.keeper->forget(info.id);
  if (auto removed = remove_files(); !removed) return removed;
  gone_ = true;
  if (info.is_final) remove_join_mark(context_, info.id);
  context_.records.doubts().forget(info.id);
  handover_->forget(info.id);
  context_.layout.remove_empty_directories(info.id);
  return {};
}

}  // namespace tus::file_store
