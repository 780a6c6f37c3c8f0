#include "stores/file/handover.h"

#include <set>
#include <string_view>
#include <utility>

namespace tus::file_store {

namespace {

bool holds_back(const InfoFile& file) {
  return file.durable || file.pending_start || file.info.finish == FinishState::pending;
}

bool is_unfinished(const UploadInfo& info) {
  // A join is ours to finish: nobody else appends to a final upload.
  if (info.join_pending) return false;
  bool open = info.finish == FinishState::pending || info.finish == FinishState::derived;
  return open && !info.has_all_bytes();
}

std::string_view directory_of(const UploadId& id) {
  auto slash = id.str().rfind('/');
  return slash == std::string::npos ? std::string_view()
                                    : std::string_view(id.str()).substr(0, slash);
}

}  // namespace

void Handover::left(const InfoFile& file, std::uint64_t data_size) {
  if (holds_back(file) && is_unfinished(file.info)) {
    remember(file.info.id, data_size);
  } else {
    forget(file.info.id);
  }
}

void Handover::seen(const Loaded& loaded) {
  const auto& info = loaded.file.info;
  if (!holds_back(loaded.file) || !is_unfinished(info) || loaded.data_size != info.offset) return;
  remember(info.id, loaded.data_size);
}

void Handover::remember(const UploadId& id, std::uint64_t data_size) {
  std::lock_guard lock(mutex_);
  if (auto known = sizes_.find(id); known != sizes_.end()) {
    known->second = data_size;
  } else if (sizes_.size() < most_) {
    sizes_.emplace(id, data_size);
  } else if (!std::exchange(full_, true)) {
    logger_->log(LogLevel::warn, "MarksStayAtExit", {{"because", "too many unfinished uploads"}});
  }
}

void Handover::forget(const UploadId& id) {
  std::lock_guard lock(mutex_);
  sizes_.erase(id);
}

void Handover::clean(Deadline deadline, std::span<std::byte> scratch) {
  std::unordered_map<UploadId, std::uint64_t> all;
  {
    std::lock_guard lock(mutex_);
    all.swap(sizes_);
  }
  std::vector<UploadId> cleaned;
  for (const auto& [id, data_size] : all) {
    if (deadline.passed(clock_.now())) {
      logger_->log(LogLevel::warn, "MarksStayAtExit", {{"because", "there was no time"}});
      break;
    }
    auto done = clean_one(id, data_size, scratch);
    if (done && *done) cleaned.push_back(id);
    if (!done) {
      logger_->log(LogLevel::warn, "MarkStaysAtExit",
                   {{"id", id.str()}, {"error", done.error().detail()}});
    }
  }
  if (fsync_ != FsyncPolicy::off) sync_directories_of(cleaned);
}

Result<bool> Handover::clean_one(const UploadId& id, std::uint64_t data_size,
                                 std::span<std::byte> scratch) {
  const auto guard = records_.guard(id);
  if (!guard) return fail(guard.error());
  // Somebody goes on with it in another process, and leaves it clean.
  auto locked = records_.has_lock_file(id);
  if (!locked || *locked) return locked ? Result<bool>(false) : fail(locked.error());
  auto loaded = records_.load(id, scratch);
  if (!loaded) {
    if (loaded.error() == ErrorCode::upload_not_found) return false;
    return fail(loaded.error());
  }
  auto& file = loaded->file;
  // Another size: another process writes to it, and will leave it clean.
  if (loaded->data_size != data_size || !holds_back(file) || !is_unfinished(file.info))
    return false;
  const auto& mark = file.durable;
  bool at_risk = mark && !mark->strict && mark->offset < file.info.offset;
  if (at_risk && fsync_ != FsyncPolicy::off) return fail(ErrorCode::store_unavailable, "not safe");

  if (data_size > file.info.offset) {
    // What does not count would count for others. It was never told to anybody.
    auto cut = records_.truncate_data(file, file.info.offset);
    if (!cut) return fail(cut.error());
  }
  const auto before = file;
  file.durable.reset();
  file.pending_start.reset();
  // The service says `pending` again before the next byte.
  if (file.info.finish == FinishState::pending) file.info.finish = FinishState::derived;
  // The old record is as true until its directory is synced, which is done once for all.
  auto replaced = records_.replace(file, Records::Names::later);
  if (!replaced) return fail(replaced.error());
  // Who has begun meanwhile may have read the old record, and counts on it.
  locked = records_.has_lock_file(id);
  if (locked && !*locked) return true;
  if (auto undone = records_.replace(before, Records::Names::later); !undone) {
    return fail(undone.error());
  }
  return false;
}

void Handover::sync_directories_of(const std::vector<UploadId>& cleaned) {
  std::set<std::string_view> done;
  for (const auto& id : cleaned) {
    if (!done.insert(directory_of(id)).second) continue;
    if (auto synced = layout_.sync_directories(id); !synced) {
      logger_->log(LogLevel::warn, "MarkStaysAtExit",
                   {{"id", id.str()}, {"error", synced.error().detail()}});
    }
  }
}

}  // namespace tus::file_store
