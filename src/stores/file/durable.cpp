#include "stores/file/durable.h"

#include "stores/file/resync.h"

#include <algorithm>
#include <utility>

namespace tus::file_store {

namespace {
constexpr std::size_t scratch_size = 64 << 10;
}

DurableKeeper::DurableKeeper(FileIo& io, Records& records, DurableOptions options, Clock& clock,
                             Logger& logger)
    : io_(io), records_(records), options_(options), clock_(clock), logger_(logger) {}

DurableKeeper::~DurableKeeper() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<Unsafe> DurableKeeper::find(const UploadId& id) {
  std::lock_guard lock(mutex_);
  auto it = unsafe_.find(id);
  return it == unsafe_.end() ? nullptr : it->second;
}

std::shared_ptr<Unsafe> DurableKeeper::entry(const UploadId& id, std::uint64_t durable) {
  if (auto known = find(id)) return known;
  auto made = std::make_shared<Unsafe>(id);
  made->durable = durable;
  return made;
}

std::shared_ptr<Unsafe> DurableKeeper::fresh_entry(const UploadId& id) {
  forget(id);
  return std::make_shared<Unsafe>(id);
}

std::shared_ptr<Unsafe> DurableKeeper::saw(const Loaded& loaded) {
  const auto& [file, size] = loaded;
  const auto& mark = file.durable;
  if (!mark || mark->strict || mark->boot_id != records_.boot_id()) return nullptr;
  if (mark->offset >= file.info.offset || file.info.finish == FinishState::finished) return nullptr;
  std::lock_guard lock(mutex_);
  auto& entry = unsafe_[file.info.id];
  if (entry) return entry;
  entry = std::make_shared<Unsafe>(file.info.id);
  entry->durable = mark->offset;
  entry->written = file.info.offset;
  entry->queued = true;
  entry->since = clock_.now();
  return entry;
}

void DurableKeeper::wrote(const std::shared_ptr<Unsafe>& upload, std::uint64_t written) {
  upload->written = written;
  const std::uint64_t durable = upload->durable;
  if (written <= durable) return;  // nothing is at risk
  if (!upload->queued.exchange(true)) {
    std::lock_guard lock(mutex_);
    upload->since = clock_.now();
    unsafe_[upload->id] = upload;
  }
  if (written - durable < options_.bytes || upload->urgent.exchange(true)) return;
  {
    std::lock_guard lock(mutex_);
    hurry_ = true;
  }
  wake_.notify_all();
}

void DurableKeeper::forget(const UploadId& id) {
  std::lock_guard lock(mutex_);
  unsafe_.erase(id);
}

DurableKeeper::Line DurableKeeper::due(std::chrono::steady_clock::time_point now) {
  std::lock_guard lock(mutex_);
  Line found;
  for (const auto& [id, upload] : unsafe_) {
    if (now - upload->since >= options_.interval) found.push_back(upload);
  }
  // Who has waited longest has most at risk.
  std::ranges::sort(found, {}, [](const auto& upload) { return upload->since; });
  return found;
}

DurableKeeper::Line DurableKeeper::urgent() {
  std::lock_guard lock(mutex_);
  Line found;
  if (!std::exchange(hurry_, false)) return found;
  for (const auto& [id, upload] : unsafe_) {
    if (upload->urgent) found.push_back(upload);
  }
  return found;
}

void DurableKeeper::sync_due(std::chrono::steady_clock::time_point now) {
  std::lock_guard round(one_round_);
  // A round may take long, so that more becomes urgent while it lasts.
  auto sync_urgent = [this] {
    for (const auto& upload : urgent()) {
      if (ending_) return;
      sync(upload);
    }
  };
  sync_urgent();
  for (const auto& upload : due(now)) {
    if (ending_) return;
    sync(upload);
    sync_urgent();
  }
}

bool DurableKeeper::sync_all(Deadline deadline) {
  ending_ = true;  // a round of sync_due() ends after its present upload
  std::unique_lock round(one_round_, std::defer_lock);
  if (deadline.is_never()) {
    round.lock();
  } else if (!round.try_lock_for(deadline.when() - clock_.now())) {
    return false;
  }
  Line all;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, upload] : unsafe_) all.push_back(upload);
  }
  bool safe = true;
  for (const auto& upload : all) {
    if (deadline.passed(clock_.now())) return false;
    safe = sync(upload) && safe;
  }
  return safe;
}

bool DurableKeeper::sync(const std::shared_ptr<Unsafe>& upload) {
  // Whoever writes from here on puts the upload back in the line.
  upload->queued = false;
  upload->urgent = false;
  auto result = sync_data(*upload);

  std::lock_guard lock(mutex_);
  auto it = unsafe_.find(upload->id);
  if (it == unsafe_.end() || it->second != upload) return true;
  if (result == Synced::failed) upload->queued = true;
  if (result == Synced::gone || !upload->queued) {
    unsafe_.erase(it);
  } else {
    upload->since = clock_.now();
  }
  return result != Synced::failed;
}

DurableKeeper::Synced DurableKeeper::sync_data(Unsafe& upload) {
  scratch_.resize(scratch_size);
  auto done = sync_and_record(upload, upload.written);
  if (done) return Synced::safe;
  if (done.error() == ErrorCode::upload_not_found) return Synced::gone;
  logger_.log(LogLevel::warn, "DurableSyncFailed",
              {{"id", upload.id.str()}, {"error", done.error().detail()}});
  return Synced::failed;
}

Status DurableKeeper::sync_and_record(Unsafe& upload, std::uint64_t written) {
  auto loaded = records_.load(upload.id, scratch_);
  if (!loaded) return fail(loaded.error());
  // Open until the mark is written: its number is nobody else's so long.
  auto data = records_.open_data(loaded->file, O_RDONLY);
  if (!data) return fail(data.error());
  auto number = io_.number(data->get());
  if (!number) return fail(number.error());
  const auto counts = std::min(written, loaded->file.info.offset);
  const Unsynced bytes{std::min<std::uint64_t>(upload.durable, counts), counts};
  auto synced = sync_surely(io_, records_, loaded->file, data->get(), bytes);
  if (!synced) return synced;
  return record(upload, written, *number);
}

// Read again under the guard: the upload may have changed its record during the long sync.
Status DurableKeeper::record(Unsafe& upload, std::uint64_t written, FileNumber synced) {
  const auto guard = records_.guard(upload.id);
  if (!guard) return fail(guard.error());
  // Finished, or gone; and under this id there may be another upload by now, of another process, too.
  if (find(upload.id).get() != &upload) return fail(ErrorCode::upload_not_found);
  auto loaded = records_.load(upload.id, scratch_);
  if (!loaded) return fail(loaded.error());
  auto& file = loaded->file;
  auto data = records_.open_data(file, O_RDONLY);
  auto number = data ? io_.number(data->get()) : fail(data.error());
  if (!number) return fail(number.error());
  if (*number != synced) return fail(ErrorCode::upload_not_found);
  // Still in the line, so that the last step of its finish has failed: its record may not be safe.
  if (file.info.finish == FinishState::finished) return records_.sync_names(file);
  auto safe = std::min(written, file.info.offset);
  // Another process may have made more of it safe.
  const auto& mark = file.durable;
  if (mark && !mark->strict && mark->boot_id == records_.boot_id()) {
    safe = std::max(safe, std::min(mark->offset, file.info.offset));
  }
  file.durable = DurableMark{safe, records_.boot_id(), false};
  // The names too: until now nothing has made safe that there is a record at all.
  auto replaced = records_.replace(file);
  // Still under the guard, so that the upload's next record has this mark too.
  if (replaced) upload.durable = safe;
  return replaced;
}

void DurableKeeper::start_thread() { thread_ = std::thread(&DurableKeeper::run, this); }

void DurableKeeper::run() {
  // Late by at most a tenth of the interval, and no busier than that when it is very short.
  auto pause =
      std::max<std::chrono::milliseconds>(options_.interval / 10, std::chrono::milliseconds(5));
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, pause, [this] { return stopping_ || hurry_; });
    if (stopping_) return;
    lock.unlock();
    sync_due(clock_.now());
    lock.lock();
  }
}

}  // namespace tus::file_store
