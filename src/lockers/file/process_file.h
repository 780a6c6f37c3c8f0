// The file that stands for this process: `.tusd/pid-<pid>-<random>`. Our locks are hard links to it.
#pragma once

#include "lockers/file/directory.h"
#include "lockers/file/lock_calls.h"
#include "lockers/file/lock_text.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
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
  // `side` is an open directory on the file system of the locks; it stays the directory's descriptor, also
  // when there is another directory behind it. Error: store_unavailable. On a full disk there is no file yet.
  static Result<std::unique_ptr<ProcessFile>> make(LockCalls& calls, int side, unsigned perms);
  // Where there is no such directory yet, because the disk is full.
  static Result<std::unique_ptr<ProcessFile>> make_later(LockCalls& calls, int side,
                                                         unsigned perms) {
    return std::unique_ptr<ProcessFile>(new ProcessFile(calls, side, perms));
  }
  ~ProcessFile();
  ProcessFile(const ProcessFile&) = delete;
  ProcessFile& operator=(const ProcessFile&) = delete;

  bool is_ready() const noexcept { return links_ != Links::unknown; }
  // Makes the file if there is none yet. Error: no_space as long as there is no room for it.
  Status ready();
  // False where the file system has no hard links, or no flock: then one process may use the directory.
  // Both are known once the file is ready.
  bool has_links() const noexcept { return links_ == Links::work; }
  std::string why_alone() const { return links_ == Links::fail ? why_alone_ : std::string(); }

  // -1 and errno; with the inode of the link.
  int link_to(int dir, const char* name, Inode& inode);
  // A link that was made while there was room, moved to `name`, where nothing may be: so that an upload can
  // be removed from a full disk. Its number, from 1 on; 0 when there is none.
  unsigned lend_spare(int dir, const char* name, Inode& inode);
  bool take_back(unsigned spare, const Inode& inode, int dir, const char* name);
  bool owns(const Inode& inode) const;
  // A new file in the place of one that somebody removed or that has as many links as it can have. The old
  // one stays locked for the locks that are links to it.
  Status renew();
  // The directory behind `side` is another one: so is the file, and there are no locks of ours.
  Status start_over();

  // Whether whoever wrote this lives. For files without a flock.
  enum class Flocks : std::uint8_t { work, fail };
  bool lives(const LockText& text, Flocks flocks) const;
  LockText text() const;

  // The present file, for whoever watches it.
  std::string name() const;

  // Names of files of processes that died; and their end, if that is still so.
  std::vector<std::string> dead() const;
  void remove_dead(const std::string& name) const noexcept;

 private:
  ProcessFile(LockCalls& calls, int side, unsigned perms);

  struct Made {
    Fd fd;  // none: why_alone says why
    std::string name;
    Inode inode;
    std::string why_alone;
  };
  struct Spare {
    std::string name;
    Inode inode;
    bool lent = false;
  };
  Result<std::string> write_file();
  int lock_file(Made& made);
  Result<Made> make_file();
  Status try_links(Made& made);
  bool is_same(const Made& made, const std::string& link) const;
  Status replace_file();
  void make_spares(const Made& made);
  void drop_spares();

  LockCalls& calls_;
  int side_;
  unsigned perms_;
  LockText text_;

  enum class Links : std::uint8_t { unknown, work, fail };
  std::mutex making_;
  std::atomic<Links> links_{Links::unknown};
  std::string why_alone_;  // written once, before links_ says `fail`

  mutable std::shared_mutex mutex_;
  std::vector<Made> files_;  // the last one is in use; guarded by mutex_
  std::mutex spares_mutex_;
  std::vector<Spare> spares_;
};

}  // namespace tus::file_locker
