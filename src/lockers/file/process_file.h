// The file that stands for this process: `.tusd/pid-<pid>-<random>`. Our locks are hard links to it.
#pragma once

#include "lockers/file/directory.h"
#include "lockers/file/lock_calls.h"
#include "lockers/file/lock_text.h"

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace tus::file_locker {

// A process holds a flock on its file as long as it lives, and the kernel lets go of it whatever kills the
// process. So whether a lock's owner lives is a question about an inode: no process id is compared, so that
// ids that are used again, or that every container has, do not matter.
//
// Any thread.
class ProcessFile {
 public:
  // `side` is an open directory on the file system of the locks. Error: store_unavailable.
  static Result<std::unique_ptr<ProcessFile>> make(LockCalls& calls, int side, unsigned perms);
  ~ProcessFile();
  ProcessFile(const ProcessFile&) = delete;
  ProcessFile& operator=(const ProcessFile&) = delete;

  // False where the file system has no hard links, or no flock: then one process may use the directory.
  bool has_links() const noexcept { return why_alone_.empty(); }
  const std::string& why_alone() const noexcept { return why_alone_; }

  // -1 and errno; with the inode of the link.
  int link_to(int dir, const char* name, Inode& inode);
  bool owns(const Inode& inode) const;
  // A new file in the place of one that somebody removed or that has as many links as it can have. The old
  // one stays locked for the locks that are links to it.
  Status renew();

  // Whether whoever wrote this lives. For files without a flock.
  enum class Flocks : std::uint8_t { work, fail };
  bool lives(const LockText& text, Flocks flocks) const;
  const LockText& text() const noexcept { return text_; }

  // The present file, for whoever watches it.
  std::string name() const;

  // Names of files of processes that died; and their end, if that is still so.
  std::vector<std::string> dead() const;
  void remove_dead(const std::string& name) const noexcept;

 private:
  ProcessFile(LockCalls& calls, int side, unsigned perms);

  struct Made {
    Fd fd;
    std::string name;
    Inode inode;
  };
  Result<std::string> write_file();
  int lock_file(Made& made);
  Result<Made> make_file();
  Status try_links();

  LockCalls& calls_;
  int side_;
  unsigned perms_;
  LockText text_;
  std::string why_alone_;
  mutable std::shared_mutex mutex_;
  std::vector<Made> files_;  // the last one is in use; guarded by mutex_
};

}  // namespace tus::file_locker
