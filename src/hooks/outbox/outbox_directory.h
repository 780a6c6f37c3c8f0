// The files of an outbox. Blocking; any thread.
#pragma once

#include "async/file_descriptor.h"
#include "hooks/common/outbox.h"
#include "hooks/outbox/listing.h"
#include "hooks/outbox/other_records.h"

#include <tus/error.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tus::hooks {

enum class OutboxSafety : std::uint8_t {
  synced,    // records outlive a power cut
  unsynced,  // and the death of the process alone
};

// <directory>/
//   run-<random>/   of one process, which holds a flock on `lock` in it as long as it lives
//   again/          what nobody has, and whoever looks first takes
//   dead/           what is not tried any more
class OutboxDirectory {
 public:
  // Errors: store_unavailable, no_space, with a sentence for the log.
  static Result<std::unique_ptr<OutboxDirectory>> open(std::string path, OutboxSafety safety);
  // Removes what is empty.
  ~OutboxDirectory();
  OutboxDirectory(const OutboxDirectory&) = delete;
  OutboxDirectory& operator=(const OutboxDirectory&) = delete;

  Status put(const std::string& name, std::string_view text);
  Result<std::string> get(const std::string& name);
  Status rename(const std::string& from, const std::string& to);
  Status remove(const std::string& name);
  Status bury(const std::string& name);
  Result<std::vector<OutboxEntry>> take_over(std::size_t most);
  // The oldest ones.
  Result<std::vector<OutboxEntry>> list(std::size_t most);
  Result<bool> is_older_elsewhere(const OutboxEntry& entry);
  // When the newest record was given that others have, or left behind; the beginning of time when there is none.
  std::chrono::system_clock::time_point newest_elsewhere() const;
  Result<bool> is_ended_later(const OutboxEntry& entry);
  Result<std::size_t> count_buried();

 private:
  OutboxDirectory(std::string path, OutboxSafety safety)
      : path_(std::move(path)), safety_(safety) {}
  Status make_home();
  Status put_at_home(int home, const std::string& name, std::string_view text) const;
  // What this process has open.
  struct Home {
    Fd root;
    Fd directory;
    Fd lock;
    std::string name;
  };
  // Another process, or nobody, has these.
  static std::vector<std::string> other_places(const Home& home);
  // The flock is the right to move what is in there. Empty when its process lives.
  static Fd lock_of_dead(int place);
  static void take_records(int place, const Home& home, std::size_t most,
                           std::vector<OutboxEntry>& taken);

  const std::string path_;
  const OutboxSafety safety_;
  // Replaced when somebody has removed the directories; who uses the old one then keeps it until the end of the call.
  mutable std::mutex mutex_;
  std::shared_ptr<const Home> home_;

  std::shared_ptr<const Home> home() const;

  OtherRecords others_;
  std::mutex buried_mutex_;
  Stamp buried_stamp_;
  std::size_t buried_ = 0;
};

// What is not tried any more in an outbox that need not be open, oldest first; and its way back: who has the
// outbox open, or opens it next, tries it again. Errors: store_unavailable.
Result<std::vector<OutboxEntry>> list_buried(const std::string& path);
Result<std::string> read_buried(const std::string& path, const OutboxEntry& entry);
Status replay_buried(const std::string& path, const OutboxEntry& entry,
                     std::chrono::system_clock::time_point now);

}  // namespace tus::hooks
