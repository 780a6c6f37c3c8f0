// The lock files beside the uploads: `<id>.lock` says that somebody holds it, `<id>.stop` that somebody
// else wants it. All system calls, no waiting.
#pragma once

#include "lockers/file/directory.h"
#include "lockers/file/lock_calls.h"
#include "lockers/file/process_file.h"

#include <tus/upload_id.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/stat.h>

namespace tus::file_locker {

// A lock file that we have made.
struct Taken {
  Inode inode;         // none: there is no place for the upload, so that nobody can hold it
  unsigned spare = 0;  // the number of the spare link that it is, which goes back; mostly 0, none
};

// Blocks on the disk, briefly. Any thread; the calls for one id that change something come one after the
// other.
class LockFiles {
 public:
  // `side` is `.tusd` in the directory, open.
  static Result<std::unique_ptr<LockFiles>> open(LockCalls& calls, const std::string& directory,
                                                 unsigned dir_perms, unsigned file_perms);

  // Nothing while another process holds it. A lock whose owner is dead is taken over.
  // Errors: no_space, store_unavailable. Without the directory there is nothing to hold.
  Result<std::optional<Taken>> try_lock(const UploadId& id);
  // Also takes away what asks for it, as Go's does: whoever has the lock next must not take it as meant for
  // himself. Directories that are empty then go, too. After a moment the lock is taken to be ours still, and
  // nobody to have asked: most locks are held for the time of a few system calls.
  enum class Held : std::uint8_t { for_a_moment, for_long };
  void unlock(const UploadId& id, const Taken& taken, Held held = Held::for_long) noexcept;
  // Whether the file that we have made is still there.
  bool is_ours(const UploadId& id, const Taken& taken) const;

  // One look when nobody holds it, and whether the owner lives when somebody does.
  Result<bool> is_locked(const UploadId& id) const;

  // Asks the owner, in another process, to release: by `.stop`, and by opening the lock for writing, which
  // a process of ours that watches its file hears. Where that is not possible, one waits for the owner all
  // the same.
  void ask(const UploadId& id) const noexcept;
  void stop_asking(const UploadId& id) const noexcept;
  // When somebody asked last: nanoseconds since the epoch, by the clock of the file system.
  std::optional<std::int64_t> asked_at(const UploadId& id) const;

  // Removes a lock file when its owner is dead, and whether it did; `path` is that of an upload. Errors are
  // left for whoever wants to lock.
  bool remove_if_stale(std::string_view path) noexcept;

  const Directory& directory() const noexcept { return directory_; }
  int side() const noexcept { return side_.get(); }
  ProcessFile& process() noexcept { return *process_; }

 private:
  LockFiles(LockCalls& calls, Directory directory, Fd side);

  Result<std::optional<Taken>> try_lock_here(const UploadId& id);
  Result<bool> is_locked_here(const UploadId& id) const;
  bool find_again() const;
  Status make_side() const;
  bool has_side() const;
  enum class Found : std::uint8_t { nothing, ours, alive, stale };
  Result<Found> look(const Place& place, struct stat& file) const;
  enum class Made : std::uint8_t { yes, exists, no_directory };
  Result<Made> make(const Place& place, Taken& taken);
  Result<Made> make_alone(const Place& place, Taken& taken) const;
  bool has_our_text(const Place& place) const;
  bool remove_stale(const Place& place);

  LockCalls& calls_;
  Directory directory_;
  Fd side_;
  std::unique_ptr<ProcessFile> process_;
  // One process at a time, and one thread of it, removes stale locks: between the last look at a lock and
  // its end nobody can put another one in its place.
  std::mutex guard_mutex_;
  mutable std::mutex finding_;
  unsigned dir_perms_ = 0775;
  unsigned file_perms_ = 0664;
};

}  // namespace tus::file_locker
