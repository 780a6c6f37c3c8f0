// The .info files in the directory: read, made once, replaced as a whole.
#pragma once

#include "stores/common/info_file.h"
#include "stores/file/file_io.h"
#include "stores/file/layout.h"

#include <tus/file_store.h>
#include <tus/logger.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tus::file_store {

using stores::counted_size;
using stores::DurableMark;
using stores::InfoFile;
using stores::parse_info;
using stores::write_info;

// Where the kernel does not tell one: every boot looks like the same.
inline constexpr std::string_view unknown_boot_id = "unknown";

// An upload as it is on disk.
struct Loaded {
  InfoFile file;                // with the offset that counts
  std::uint64_t data_size = 0;  // may be more than counts
};

struct RecordOptions {
  FsyncPolicy fsync = FsyncPolicy::finish;
  mode_t file_perms = 0664;
  mode_t dir_perms = 0775;  // of `.tusd`, should somebody remove it
  std::string boot_id;
  std::shared_ptr<Logger> logger;  // for what is odd and no error; may be empty
};

// Uploads of which a sync has failed, and whose bytes have not been written again since. Any thread.
class Doubts {
 public:
  // The bytes before `to`.
  void doubt(const UploadId& id, std::uint64_t to);
  bool has(const UploadId& id) const;
  // The bytes before `to` are safe: no doubt is left if it was about no others.
  void trust(const UploadId& id, std::uint64_t to);
  void forget(const UploadId& id);

 private:
  mutable std::mutex mutex_;
  std::unordered_map<UploadId, std::uint64_t> ends_;
};

// All calls may come from any thread. Whoever reads a record in order to replace it holds its guard.
class Records {
 public:
  Records(FileIo& io, Layout& layout, RecordOptions options);

  // The record alone, without a look at the data.
  Result<InfoFile> read(const UploadId& id, std::span<std::byte> scratch);
  // `scratch` is 64 KiB or more. Errors: upload_not_found, upload_damaged, store_unavailable. An empty
  // record, as a power cut leaves it of an upload that nobody was promised, is not found.
  Result<Loaded> load(const UploadId& id, std::span<std::byte> scratch);
  // The second half of load(), of a record that was read.
  Result<Loaded> with_data(InfoFile file);
  // The same for who holds no lease: record and data belong together although others may change both.
  Result<Loaded> load_consistent(const UploadId& id, std::span<std::byte> scratch);

  // Makes the record of a new upload. Nothing is left behind when it fails. Error: upload_exists.
  Status create(const InfoFile& file);
  // Whether a name in a directory is safe when a call returns, or at some later time.
  enum class Names : std::uint8_t { safe, later };
  // Under its guard; upload_not_found when somebody has removed it. By a temporary file and rename(2): a reader sees the old record or the new one, and so does the next
  // start after a crash.
  Status replace(const InfoFile& file, Names names = Names::safe);
  Status remove(const UploadId& id);

  // The data file of an upload that has a record.
  Result<Fd> open_data(const InfoFile& file, int flags);
  Status remove_data(const InfoFile& file);
  Status truncate_data(const InfoFile& file, std::uint64_t size);
  // Makes safe that record and data are where they are.
  Status sync_names(const InfoFile& file);

  // Nobody else, in this process or another one on the directory, replaces or removes the record meanwhile.
  class [[nodiscard]] Guard {
   private:
    friend class Records;
    explicit Guard(std::mutex& mutex) : lock_(mutex) {}
    std::unique_lock<std::mutex> lock_;
    Fd file_;
  };
  Result<Guard> guard(const UploadId& id);
  // Whether a process, of whatever kind, holds the upload by a lock file.
  Result<bool> has_lock_file(const UploadId& id);
  void log(LogLevel level, std::string_view event, const UploadId& id, const Error& why);

  Doubts& doubts() noexcept { return doubts_; }
  const std::string& boot_id() const noexcept { return options_.boot_id; }

  // A file comes and goes in the temporary directory, or the error says why not.
  Status probe();

 private:
  Status write_temporary(const Name& name, std::string_view text);
  // A file in `.tusd`, made with its directories where they are missing.
  Result<Fd> open_ours(const Name& name, int flags);
  Result<InfoFile> parse(std::string_view text, const UploadId& id);
  Result<InfoFile> read_from(int fd, const UploadId& id, std::span<std::byte> scratch);
  Result<Loaded> complete(InfoFile file, Place& record);
  Result<InfoFile> read_at(const Name& name, const UploadId& id, std::span<std::byte> scratch);
  // `beside` is the data file where nobody asked for another place. Where it is elsewhere, and the record did not
  // say so, the file in memory does from now on, and the next record that is written.
  Result<FileLook> look_at_data(InfoFile& file, const Name& beside);
  Result<Place> place_of_data(const InfoFile& file);
  // In `.tusd/tmp`, which is on the file system of the store.
  Name temporary_name();
  bool synced() const noexcept { return options_.fsync != FsyncPolicy::off; }

  FileIo& io_;
  Layout& layout_;
  RecordOptions options_;
  std::string instance_;  // keeps the temporary names of processes apart
  std::atomic<std::uint64_t> counter_{0};
  std::array<std::mutex, 64> mutexes_;
  Doubts doubts_;
  std::mutex warned_mutex_;
  std::set<UploadId> warned_;  // of their empty records; bounded
};

}  // namespace tus::file_store
