// fsync=finish: makes unfinished uploads safe in the background, so that a power cut costs them little.
#pragma once

#include "stores/file/records.h"

#include <tus/clock.h>
#include <tus/deadline.h>
#include <tus/logger.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace tus::file_store {

// What an upload has written and how much of that a record calls durable. Shared by the upload and the
// keeper, which may outlive each other.
struct Unsafe {
  explicit Unsafe(UploadId i) : id(std::move(i)) {}

  const UploadId id;
  std::atomic<std::uint64_t> written{0};  // bytes that count
  std::atomic<std::uint64_t> durable{0};
  std::atomic<bool> queued{false};              // the keeper will look at it again
  std::atomic<bool> urgent{false};              // more than durable_bytes are at risk
  std::chrono::steady_clock::time_point since;  // guarded by the keeper
};

struct DurableOptions {
  std::uint64_t bytes = 256ull << 20;
  std::chrono::milliseconds interval{30'000};
};

// All calls may come from any thread.
class DurableKeeper {
 public:
  DurableKeeper(FileIo& io, Records& records, DurableOptions options, Clock& clock, Logger& logger);
  ~DurableKeeper();
  DurableKeeper(const DurableKeeper&) = delete;
  DurableKeeper& operator=(const DurableKeeper&) = delete;

  // The entry of an upload that is not safe yet, else nothing. Asked before its record is read: without
  // an entry, the record then says everything.
  std::shared_ptr<Unsafe> find(const UploadId& id);
  // The entry of an upload, a new one when there is none.
  std::shared_ptr<Unsafe> entry(const UploadId& id, std::uint64_t durable);
  // The entry of an upload that was just made: one of the same id before it was another upload.
  std::shared_ptr<Unsafe> fresh_entry(const UploadId& id);
  // A record was read that calls less durable than counts, as a process that was killed leaves it. The
  // entry, with the upload in the line.
  std::shared_ptr<Unsafe> saw(const Loaded& loaded);
  // The upload has `written` bytes now. Cheap.
  void wrote(const std::shared_ptr<Unsafe>& upload, std::uint64_t written);
  // It is finished or gone.
  void forget(const UploadId& id);

  // Makes everything safe that is due; blocks on the disk. The background thread does nothing else.
  void sync_due(std::chrono::steady_clock::time_point now);
  // Everything, due or not, until the deadline. True when all is safe. Ends all work of sync_due().
  bool sync_all(Deadline deadline);

  void start_thread();

 private:
  enum class Synced : std::uint8_t { safe, gone, failed };

  using Line = std::vector<std::shared_ptr<Unsafe>>;

  Line due(std::chrono::steady_clock::time_point now);
  // Those that have become so since the last call.
  Line urgent();
  bool sync(const std::shared_ptr<Unsafe>& upload);
  Synced sync_data(Unsafe& upload);
  Status sync_and_record(Unsafe& upload, std::uint64_t written);
  Status record(Unsafe& upload, std::uint64_t written, FileNumber synced);
  void run();

  FileIo& io_;
  Records& records_;
  DurableOptions options_;
  Clock& clock_;
  Logger& logger_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::atomic<bool> ending_ = false;  // no more rounds but those of sync_all()
  bool hurry_ = false;
  std::unordered_map<UploadId, std::shared_ptr<Unsafe>> unsafe_;
  std::timed_mutex one_round_;      // one thread syncs at a time
  std::vector<std::byte> scratch_;  // guarded by one_round_
  std::thread thread_;
};

}  // namespace tus::file_store
