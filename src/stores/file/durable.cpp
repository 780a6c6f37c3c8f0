#include "stores/file/durable.h"

#include <algorithm>

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
  if (!upload->queued.exchange(true)) {
    std::lock_guard lock(mutex_);
    upload->since = clock_.now();
    unsafe_[upload->id] = upload;
  }
  if (written - upload->durable < options_.bytes || upload->urgent.exchange(true)) return;
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

std::vector<std::shared_ptr<Unsafe>> DurableKeeper::due(std::chrono::steady_clock::time_point now) {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Unsafe>> found;
  for (const auto& [id, upload] : unsafe_) {
    if (upload->urgent || now - upload->since >= options_.interval) found.push_back(upload);
  }
  return found;
}

void DurableKeeper::sync_due(std::chrono::steady_clock::time_point now) {
  std::lock_guard round(one_round_);
  for (const auto& upload : due(now)) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    sync(upload);
  }
}

bool DurableKeeper::sync_all(Deadline deadline) {
  std::lock_guard round(one_round_);
  std::vector<std::shared_ptr<Unsafe>> all;
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
  std::uint64_t written = upload.written;
  auto done = sync_and_record(upload, written);
  if (done) {
    upload.durable = written;
    return Synced::safe;
  }
  if (done.error() == ErrorCode::upload_not_found) return Synced::gone;
  logger_.log(LogLevel::warn, "DurableSyncFailed",
              {{"id", upload.id.str()}, {"error", done.error().detail()}});
  return Synced::failed;
}

Status DurableKeeper::sync_and_record(const Unsafe& upload, std::uint64_t written) {
  auto loaded = records_.load(upload.id, scratch_);
  if (!loaded) return fail(loaded.error());
  // Open until the mark is written: its number is nobody else's so long.
  auto data = records_.open_data(loaded->file, O_RDONLY);
  if (!data) return fail(data.error());
  auto number = io_.number(data->get());
  if (!number) return fail(number.error());
  if (auto synced = io_.sync_data(data->get()); !synced) return synced;
  return record(upload, written, *number);
}

// Read again under the guard: the upload may have changed its record during the long sync.
Status DurableKeeper::record(const Unsafe& upload, std::uint64_t written, FileNumber synced) {
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
  if (file.info.finish == FinishState::finished) return {};
  auto safe = std::min(written, file.info.offset);
  // Another process may have made more of it safe.
  const auto& mark = file.durable;
  if (mark && !mark->strict && mark->boot_id == records_.boot_id()) {
    safe = std::max(safe, std::min(mark->offset, file.info.offset));
  }
  file.durable = DurableMark{safe, records_.boot_id(), false};
  // The names too: until now nothing has made safe that there is a record at all.
  return records_.replace(file);
}

void DurableKeeper::start_thread() { thread_ = std::thread(&DurableKeeper::run, this); }

void DurableKeeper::run() {
  // Late by at most a tenth of the interval, and no busier than that when it is very short.
  auto pause =
      std::max<std::chrono::milliseconds>(options_.interval / 10, std::chrono::milliseconds(5));
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, pause, [this] { return stopping_ || hurry_; });
    hurry_ = false;
    if (stopping_) return;
    lock.unlock();
    sync_due(clock_.now());
    lock.lock();
  }
}

}  // namespace tus::file_store
